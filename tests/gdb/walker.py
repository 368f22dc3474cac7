"""walker.py - run inside gdb by test_walks.py: makes the moves of a walk and notes where each ended

Reads CV_WALK (JSON: breaks, watches, moves), writes CV_WALK.out: for each move its name, the icount and the digest of all
state where it ended, and what gdb said.
"""
import json
import os
import re

import gdb

PLACE = re.compile(r"State digest: (\w{32}) at icount (\d+)")


def say(command):
    try:
        return gdb.execute(command, to_string=True)
    except gdb.error as e:
        return "error: %s" % e


def main():
    name = os.environ["CV_WALK"]
    with open(name) as f:
        walk = json.load(f)
    say("set pagination off")
    for address in walk["breaks"]:
        say("break *%#x" % address)
    for address in walk["watches"]:
        say("watch *(long *)%#x" % address)
    noted = []
    for command in walk["moves"]:
        said = say(command)
        digest, icount = PLACE.search(say("monitor digest")).groups()
        noted.append([command, int(icount), digest, said])
    with open(name + ".out", "w") as f:
        json.dump(noted, f)


main()
