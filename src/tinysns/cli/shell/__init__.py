"""`sns shell`: the interactive screen of the course's client, with the comfort and the guarantees of this one.

course.py    what the course's client prints, word for word
screen.py    what a screen can do, and the plain one for pipes
terminal.py  the one for people: line editing, history, completion, posts above the line being typed
commands.py  the loop of commands
timeline.py  the timeline mode
names.py     the users that can be completed
opening.py   puts it together
"""
