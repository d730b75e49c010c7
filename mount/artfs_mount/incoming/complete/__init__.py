"""When a draft is complete: plain values and pure functions, which ask neither a disk nor a clock.

process       who does something, and how he lets go of a file
events        what happens to a draft, as values
facts         what is known of a draft's paths and open files
history       one a draft: makes facts of its events, in bounded memory
names         what the names of files say
markers       the files that are written last
settings      what the configuration says about it
completeness  the rule, which reads all that
"""
