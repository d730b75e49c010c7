"""When a draft is complete: plain values and pure functions, which ask neither a disk nor a clock.

events    what happens to a draft, as values
history   one a draft: what its events leave to know, in bounded memory
names     what the names of files say
markers   the files that are written last
settings  what the configuration says about it
completeness   the rule, which reads all that
"""
