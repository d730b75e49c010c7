"""When a draft is complete: plain values and pure functions, which ask neither a disk nor a clock.

process       who does something, and how he lets go of a file and ends
writers       how those are doing that changed a draft
events        what happens to a draft, as values
facts         what is known of a draft's paths and open files
history       one a draft: makes facts of its events, in bounded memory
paths         of what is in a draft
names         what the names of files say
markers       the files that are written last
ranks         the files of which each process of a distributed program writes its own
units         what is known of each unit of a draft, in one pass over its paths
settings      what the configuration says about it
known         all that is known of a draft at one moment
interrupted   what tells that a save was interrupted
obstacles     what keeps parts of a draft out of versions, and why
rule          decides, from all that
"""
