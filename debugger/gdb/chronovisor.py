"""chronovisor.py - gdb's side of Chronovisor: travel commands, and a kernel's symbols where the kernel is

`chronovisor debug` loads it. By hand, on a server that `chronovisor gdbserver` started:

    (gdb) source chronovisor.py
    (gdb) target remote SOCKET
    (gdb) cv symbols vmlinux

"cv VERB ..." is "monitor VERB ...", completes, and lets gdb see where the machine stands then. After a plain
"monitor VERB" gdb sees it, too. "cv symbols FILE" loads symbols; those of a Linux kernel are moved to where it moved
itself, now and whenever that changes.

SPDX-License-Identifier: MIT
"""
import os
import struct

import gdb

CV_PERCPU = ".data..percpu"
CV_CACHE = "set index-cache enabled "


def cv_ask(command):
    """What the server says to `monitor COMMAND`."""
    return gdb.execute("monitor " + command, to_string=True)


def cv_is_connected():
    try:
        return gdb.selected_inferior().pid != 0
    except gdb.error:
        return False


def cv_place():
    """The icount where the machine stands; None: this is no Chronovisor. The server learns that we look for ourselves."""
    try:
        return int(cv_ask("follow").rsplit(":", 1)[1])
    except (gdb.error, IndexError, ValueError):
        return None


def cv_read_slide(command="kaslr"):
    """How far the kernel moved itself; None: not known here."""
    try:
        return int(cv_ask(command).strip(), 16)
    except (gdb.error, ValueError):
        return None


def cv_section_address(path, wanted):
    """The address of an ELF file's section; None: it has no such section."""
    with open(path, "rb") as f:
        ident = f.read(16)
        wide = ident[4] == 2
        head = struct.unpack("<HHIQQQIHHHHHH" if wide else "<HHIIIIIHHHHHH", f.read(48 if wide else 36))
        offset, size, count, names = head[5], head[10], head[11], head[12]
        f.seek(offset)
        rows = [f.read(size) for _ in range(count)]
        form = "<IIQQQQ" if wide else "<IIIIII"
        rows = [struct.unpack(form, row[:struct.calcsize(form)]) for row in rows]
        f.seek(rows[names][4])
        strings = f.read(rows[names][5])
    for row in rows:
        if strings[row[0]:strings.index(b"\0", row[0])] == wanted.encode():
            return row[3]
    return None


def cv_quoted(path):
    return '"%s"' % path.replace("\\", "\\\\").replace('"', '\\"')


def cv_setting(command):
    try:
        gdb.execute(command, to_string=True)
    except gdb.error:
        pass  # this gdb has no such setting, and does without


class CvKernel:
    """The file of symbols, and where its symbols are now."""

    def __init__(self):
        self.path = None
        self.is_main = False  # it is gdb's main file, not one that was added
        self.slide = None     # of the symbols that gdb has; None: they are where the file says
        self.known = False    # the machine told a slide at least once
        self.busy = False
        self.warned = False

    def load(self, path):
        if self.path is not None:
            self.drop()
        self.path, self.slide, self.known, self.warned = os.path.abspath(path), None, False, False
        slide = cv_read_slide() if cv_is_connected() else None
        if slide is None and cv_is_connected():
            slide = cv_read_slide("kaslr find")
        self.move(slide)

    def move(self, slide):
        """Loads the symbols at that place, dropping those that were there."""
        self.busy = True
        cv_setting(CV_CACHE + "on")
        try:
            if slide is None:
                gdb.execute("file " + cv_quoted(self.path), to_string=True)
                self.is_main = True
            else:
                self.add(slide)
        finally:
            self.busy = False
        self.slide = slide
        self.known = slide is not None
        self.warn()

    def add(self, slide):
        # Data of CPUs is linked at 0 and is no part of the image: it stays. `symbol-file -o` would move it.
        at = cv_section_address(self.path, CV_PERCPU)
        stays = " -s %s 0" % CV_PERCPU if at == 0 else ""
        self.drop()
        gdb.execute("add-symbol-file %s -o %#x%s" % (cv_quoted(self.path), slide, stays), to_string=True)

    def drop(self):
        # (A gdb.execute() that fails ends a `continue` under way: what can fail is not tried.)
        for name in self.loaded():
            gdb.execute("symbol-file" if self.is_main else "remove-symbol-file " + cv_quoted(name), to_string=True)
        self.is_main = False

    def loaded(self):
        """How gdb calls our file, if it has it."""
        path = os.path.realpath(self.path)
        return [o.filename for o in gdb.objfiles() if o.filename and os.path.realpath(o.filename) == path]

    def warn(self):
        if self.warned or not cv_is_connected():
            return
        try:
            said = cv_ask("guest-warning").strip()
        except gdb.error:
            return
        if said and not said.startswith("Unknown command"):
            gdb.write("warning: %s\n" % said, gdb.STDERR)
            self.warned = True

    def follow(self):
        """The machine stands elsewhere: before the kernel moved, or in another boot of it. Where it is not to be seen,
        breakpoints are best where it was or will be."""
        if self.path is None or self.busy or not cv_is_connected():
            return
        slide = cv_read_slide()
        if slide is not None and slide != self.slide:
            self.move(slide)
        elif slide is not None:
            self.warn()

    def other_file(self):
        """Somebody adds a file that is not ours."""
        if not self.busy:
            cv_setting(CV_CACHE + "off")

    def reloaded(self):
        """Somebody (lx-symbols does) gave `symbol-file`: our file is back at its link address, or gone."""
        if self.path is None or self.busy or not self.known:
            return
        if self.loaded():
            self.busy = self.is_main = True
            cv_setting(CV_CACHE + "on")
            try:
                self.add(self.slide)  # and no word to the server: gdb may be in the middle of a continue
            finally:
                self.busy = False


cv_kernel = CvKernel()


def cv_refresh_watchpoints():
    """gdb keeps the value that it saw last, of another place now, and would drop a write that makes it that value again.
    A watchpoint that is enabled anew looks at its value."""
    kinds = (gdb.BP_WATCHPOINT, gdb.BP_HARDWARE_WATCHPOINT, gdb.BP_READ_WATCHPOINT, gdb.BP_ACCESS_WATCHPOINT)
    for point in gdb.breakpoints():
        if point.type in kinds and point.enabled:
            point.enabled = False
            point.enabled = True


class CvFollower:
    """Notices that `monitor` moved the machine."""

    def __init__(self):
        self.at = None
        self.busy = False

    def stopped(self):
        if not self.busy and cv_is_connected():
            self.busy = True
            try:
                self.at = cv_place()
                if self.at is not None:
                    cv_kernel.follow()
            finally:
                self.busy = False

    def asked(self):
        """After a monitor command; True when the machine stands elsewhere than before."""
        if self.busy or not cv_is_connected():
            return False
        self.busy = True
        try:
            at = cv_place()
            moved = at is not None and at != self.at
            self.at = at
            if moved:
                gdb.execute("maintenance flush register-cache", to_string=True)
                cv_refresh_watchpoints()
                cv_kernel.follow()
            return moved
        finally:
            self.busy = False


cv_follower = CvFollower()
gdb.events.stop.connect(lambda event: cv_follower.stopped())


class Cv(gdb.Command):
    """Travel in the recording: cv VERB [ARGS], where VERB is one of those that "monitor help" lists, or

cv attach SOCKET -- connect
cv symbols FILE -- load symbols; a Linux kernel's are moved to where it is"""

    OWN = {"attach": "", "symbols": ""}

    def __init__(self):
        super().__init__("cv", gdb.COMMAND_RUNNING)
        self.known = {}

    def verbs(self):
        """Verbs and what may follow, as the server has them."""
        if not self.known and cv_is_connected():
            for line in cv_ask("help").splitlines():
                usage = line.split(" -- ")[0].split()
                words = [w for w in usage if w.islower() and w.isascii() and "|" not in w and "0x" not in w]
                self.known[" ".join(words[:2] if words[:1] == ["info"] else words[:1])] = usage
        return self.known or {}

    def invoke(self, argument, from_tty):
        words = argument.split(None, 1)
        rest = words[1].strip() if len(words) > 1 else ""
        if not words:
            gdb.write(self.__doc__ + "\n" + (cv_ask("help") if cv_is_connected() else ""))
        elif words[0] == "attach":
            gdb.execute("target remote " + rest, to_string=True)
            self.known = {}
            cv_follower.stopped()
        elif words[0] == "symbols":
            if not os.path.exists(os.path.expanduser(rest)):
                raise gdb.GdbError("cv symbols: %s: no such file" % rest)
            cv_kernel.load(os.path.expanduser(rest))
        else:
            self.monitor(argument)

    def monitor(self, argument):
        before = cv_follower.at = cv_place()
        cv_follower.busy = True
        try:
            said = cv_ask(argument)
        finally:
            cv_follower.busy = False
        gdb.write(said)
        if cv_follower.asked() and before is not None:
            gdb.execute("frame")

    def complete(self, text, word):
        if text.startswith("symbols ") or text.startswith("attach "):
            return gdb.COMPLETE_FILENAME
        names = sorted(set(self.verbs()) | set(self.OWN))
        if text.startswith(("seek ", "replay_seek ", "seek-ticks ")):
            names = ["crash", "end", "mark:"]
            return [n for n in names if n.startswith(word)]
        start = len(text) - len(word)
        return [n[start:] for n in names if n.startswith(text)]


Cv()


cv_setting(CV_CACHE + "on")
cv_setting("set breakpoint always-inserted on")
# gdb 13 takes a relocatable file's index from its cache without moving it to where the file was loaded: modules have no
# lines then. gdb stores an index some time after it has read a file, so the cache stays on until it would do harm.
gdb.execute("define hook-add-symbol-file\npython cv_kernel.other_file()\nend")
gdb.execute("define hookpost-monitor\npython cv_follower.asked()\nend")
gdb.execute("define hookpost-symbol-file\npython cv_kernel.reloaded()\nend")
cv_follower.stopped()
