"""What a submission tries with its processes and rights, as data for `tests.probes`."""

NAMESPACES = {
    "mounts": 0x00020000,
    "control groups": 0x02000000,
    "names": 0x04000000,
    "messages": 0x08000000,
    "users": 0x10000000,
    "processes": 0x20000000,
    "network": 0x40000000,
    "time": 0x00000080,
}
CLONE = """
child = libc.syscall(host['calls']['clone'], {flag} | signal.SIGCHLD, 0, 0, 0, 0)
if child == 0:
    os._exit(0)
if child < 0:
    raise OSError(ctypes.get_errno(), 'clone')
got = child"""

# tried in a room, as it is
RIGHTS = {
    "being root": "got = os.getuid() == 0 or os.geteuid() == 0 or os.getgid() == 0",
    "groups": "got = {0} & set(os.getgroups())",
    "capabilities": """
lines = dict(l.split(':', 1) for l in open('/proc/self/status').read().splitlines())
got = any(int(lines[f'Cap{kind}'], 16) for kind in ('Inh', 'Prm', 'Eff', 'Bnd', 'Amb'))""",
    "new privileges": "got = 'NoNewPrivs:\\t1' not in open('/proc/self/status').read()",
    "no filter": "got = 'Seccomp:\\t2' not in open('/proc/self/status').read()",
    "take off the filter": "got = call('prctl', 22, 0, 0, 0, 0)",
    "take back new privileges": "got = call('prctl', 38, 0, 0, 0, 0)",
    "program of root's": """
said = subprocess.run(['/submission/rootid', '-u'], capture_output=True, text=True)
got = int(said.stdout) == 0""",
    **{
        f"program {name}": f"got = subprocess.run({command}, stdin=subprocess.DEVNULL, "
        "capture_output=True).returncode == 0"
        for name, command in (
            ("su", "['su', '-c', 'true']"),
            ("mount", "['mount', '-t', 'tmpfs', 'tmpfs', '/tmp']"),
            ("umount", "['umount', '/submission']"),
            ("newgrp", "['newgrp', 'root']"),
            ("passwd", "['passwd', '-d', 'root']"),
            ("unshare", "['unshare', '--user', '--map-root-user', 'true']"),
            ("nsenter", "['nsenter', '--target', '1', '--mount', 'true']"),
            ("bwrap", "['bwrap', '--ro-bind', '/', '/', 'true']"),
            ("setpriv", "['setpriv', '--reuid', '0', 'true']"),
        )
    },
    "become root": "os.setuid(0); got = True",
    "join root's group": "os.setgid(0); got = True",
    "join more groups": "os.setgroups([0]); got = True",
    "file of root's": "open('/tmp/own', 'w').close(); os.chown('/tmp/own', 0, 0); got = True",
    "device of a disk": "os.mknod('/tmp/disk', stat.S_IFBLK, os.makedev(254, 0)); got = True",
    "device of memory": "os.mknod('/tmp/mem', stat.S_IFCHR, os.makedev(1, 1)); got = True",
    "name of the machine": "socket.sethostname('x'); got = True",
    "clock": "time.clock_settime(time.CLOCK_REALTIME, time.time()); got = True",
    "other map of users": "pathlib.Path('/proc/self/uid_map').write_text('0 0 1'); got = True",
}

# refused by the filter, whatever the arguments: see `grading.seccomp`
KERNEL = {
    **{f"unshare {name}": f"got = call('unshare', {flag})" for name, flag in NAMESPACES.items()},
    **{
        f"clone into new {name}": CLONE.format(flag=flag)
        for name, flag in NAMESPACES.items()
        if name != "time"  # only unshare(2) and clone3(2) know it
    },
    "clone3": "got = call(host['calls']['clone3'], 0, 0)",
    **{
        f"return to {name}": f"f = os.open('/proc/self/ns/{name}', os.O_RDONLY); "
        "got = call('setns', f, 0)"
        for name in ("user", "mnt", "net", "pid", "ipc", "uts", "cgroup")
    },
    "chroot": "os.chroot('/tmp'); got = True",
    "mount": "got = call('mount', b'tmpfs', b'/tmp', b'tmpfs', 0, 0)",
    "make the system writable": "got = call('mount', 0, b'/usr', 0, 32 | 4096, 0)",
    "follow links again": "got = call('mount', 0, b'/run/kernel', 0, 32 | 4096, 0)",
    "umount": "got = call('umount2', b'/submission', 2)",
    "pivot_root": "got = call(host['calls']['pivot_root'], b'/tmp', b'/tmp')",
    "trace the first process": "got = call('ptrace', 16, 1, 0, 0)",
    "be traced": "got = call('ptrace', 0, 0, 0, 0)",
    "handle of a file": (
        "got = call(host['calls']['open_by_handle_at'], -100, bytes([8, 0, 0, 0] + [0] * 12), 0)"
    ),
    "other personality": "got = call('personality', 0x40000)",
    **{
        f"call {name}": f"got = call(host['calls'][{name!r}], *[0] * 6)"
        for name in (
            *("add_key", "bpf", "fsconfig", "fsmount", "fsopen", "fspick", "io_uring_setup"),
            *("io_uring_enter", "io_uring_register", "keyctl", "kexec_load", "kexec_file_load"),
            *("init_module", "finit_module", "delete_module", "mount_setattr", "move_mount"),
            *("name_to_handle_at", "open_tree", "perf_event_open", "pidfd_getfd", "request_key"),
            *("process_vm_readv", "process_vm_writev", "quotactl", "reboot", "swapon", "swapoff"),
            *("syslog", "userfaultfd", "acct", "fanotify_init"),
        )
    },
}

PROCESSES = {
    "signal to the first process": """
try:
    os.kill(1, signal.SIGKILL)
finally:
    time.sleep(0.05)
    got = not os.path.exists('/proc/1')""",
    "signal to the parent": "got = os.getppid() and (os.kill(os.getppid(), 0) or True)",
    "signal to the grader": "os.kill(host['grader'], 0); got = True",
    "signal to all": "os.kill(-1, signal.SIGKILL); got = not os.path.exists('/proc/1')",
    "priority": "os.nice(-5); got = True",
    "real time": "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)); got = True",
    "safe from memory's end": (
        "pathlib.Path('/proc/self/oom_score_adj').write_text('-1000'); got = True"
    ),
    "dumps": "got = resource.getrlimit(resource.RLIMIT_CORE)[1] > 1",
    **{
        f"raise the limit of {name}": f"resource.prlimit(0, resource.RLIMIT_{name}, "
        "(resource.RLIM_INFINITY,) * 2); got = True"
        for name in ("CORE", "CPU", "FSIZE", "NOFILE", "MEMLOCK", "RTPRIO")
    },
    "terminals of the machine": """
held = []
try:
    while len(held) < 400:
        held += os.openpty()
except OSError:
    pass
for descriptor in held:
    os.close(descriptor)
got = len(held) > 2 * 64""",
    "leave the control group": (
        "got = [pathlib.Path(path).write_text('0') "
        "for path in glob.glob('/sys/fs/cgroup/**/cgroup.procs', recursive=True)]"
    ),
}
