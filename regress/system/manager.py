#!/usr/bin/python3
"""What a service manager does for ided, as sd_notify(3) and sd_listen_fds(3) say:
keeps the sockets it is given, and starts ided again with them when it ends with
status 75 or by a signal.  manager.py SOCKET PROGRAM ARGUMENT...; one line for
each thing that happens, on standard output."""
import fcntl, os, select, signal, socket, sys

path, argv = sys.argv[1], sys.argv[2:]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(path)
stored = {}
child = 0

def say(*words):
    print(*words, flush=True)

def start():
    pid = os.fork()
    if pid:
        say('started', pid, len(stored))
        return pid
    high = [fcntl.fcntl(f, fcntl.F_DUPFD, 100) for f in stored.values()]
    for i, f in enumerate(high):
        os.dup2(f, 3 + i, inheritable=True)
    os.closerange(3 + len(high), 256)
    os.environ['NOTIFY_SOCKET'] = path
    if high:
        os.environ['LISTEN_PID'] = str(os.getpid())
        os.environ['LISTEN_FDS'] = str(len(high))
    os.execv(argv[0], argv)

def quit(*_):
    if child:
        os.kill(child, signal.SIGTERM)
        os.waitpid(child, 0)
    sys.exit(0)

signal.signal(signal.SIGTERM, quit)
signal.signal(signal.SIGCHLD, lambda *_: None)
wake_r, wake_w = os.pipe()
os.set_blocking(wake_w, False)
signal.set_wakeup_fd(wake_w)
child = start()
while True:
    ready, _, _ = select.select([s, wake_r], [], [])
    if s in ready:
        data, fds, _, _ = socket.recv_fds(s, 4096, 8)
        words = dict(l.split('=', 1) for l in data.decode().split('\n') if '=' in l)
        if 'FDSTORE' in words and fds:
            new = os.fstat(fds[0]).st_ino
            if any(os.fstat(f).st_ino == new for f in stored.values()):
                os.close(fds[0])
            else:
                stored[words.get('FDNAME', str(len(stored)))] = fds[0]
            say('stored', words.get('FDNAME'), len(stored))
        if 'READY' in words:
            say('ready', child)
    if wake_r in ready:
        os.read(wake_r, 64)
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == child and pid:
            say('ended', pid, os.waitstatus_to_exitcode(status))
            if status == 0:
                sys.exit(0)
            child = start()
