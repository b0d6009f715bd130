"""What a submission tries to reach outside its room, as data for `tests.probes`.

``host`` holds names of decoys that `tests/test_grading_attacks_reach.py` has put on the host.
"""

# these succeed in a kernel without a room: what is read there is really there
REACH = {
    "solution": "got = open(host['solution']).read()",
    "gradebook": "got = open(host['gradebook'], 'rb').read()",
    "settings of the course": "got = open(host['settings']).read()",
    "submission of another": "got = open(host['other']).read()",
    "result of another": "got = open(host['result']).read()",
    "file in the host's temporary folder": "got = open(host['temporary']).read()",
    "file elsewhere": "got = open(host['elsewhere']).read()",
    "package that grades": "got = os.listdir(host['checkout'] + '/grading')",
    "tests of the course": "got = os.listdir(host['checkout'] + '/tests')",
    "write the solution": "got = os.open(host['solution'], os.O_WRONLY | os.O_APPEND)",
    "write the gradebook": "got = os.open(host['gradebook'], os.O_WRONLY | os.O_APPEND)",
    "write the settings": "got = os.open(host['settings'], os.O_WRONLY | os.O_APPEND)",
    "write the submission of another": "got = os.open(host['other'], os.O_WRONLY | os.O_APPEND)",
    "write a result": "got = os.open(host['result'], os.O_WRONLY | os.O_APPEND)",
    "write a file elsewhere": "got = os.open(host['elsewhere'], os.O_WRONLY | os.O_APPEND)",
    "add a file to the course": "got = os.open(host['course'] + '/new', os.O_WRONLY | os.O_CREAT)",
    "data file that is a link": "got = open('link.csv').read()",
    "link in a folder of data": "got = open('data/link.csv').read()",
    "folder of data that is a link": "got = os.listdir('folder_link')",
    "course by a relative path": (
        "got = os.listdir(os.path.relpath(host['course'], host['folder']))"
    ),
    "grader's variable": "got = os.environ.get(host['variable'])",
    "folder of the grader": "got = os.listdir(f'/proc/{host[\"grader\"]}')",
    "variables of the grader": "got = open(f'/proc/{host[\"grader\"]}/environ', 'rb').read(1)",
    "command of the grader": "got = open(f'/proc/{host[\"grader\"]}/cmdline', 'rb').read()",
    "memory of the grader": "got = os.open(f'/proc/{host[\"grader\"]}/mem', os.O_RDWR)",
    "root of the grader": "got = os.listdir(f'/proc/{host[\"grader\"]}/root')",
    "descriptors of the grader": "got = os.listdir(f'/proc/{host[\"grader\"]}/fd')",
    "signal to the grader": "os.kill(host['grader'], 0); got = True",
    "signal to the warm process": "os.kill(host['warm_pid'], 0); got = True",
    "socket of the warm process": (
        "s = socket.socket(socket.AF_UNIX); s.connect(host['warm']); got = s"
    ),
    "file in another room": "got = open(host['other_room'] + '/decoy').read()",
    "other room by its process": "got = os.listdir(f'/proc/{host[\"other_pid\"]}/root/run/kernel')",
    "socket with a path": "s = socket.socket(socket.AF_UNIX); s.connect(host['listener']); got = s",
    "socket without a path": (
        "s = socket.socket(socket.AF_UNIX); s.connect(host['abstract']); got = s"
    ),
    "list of sockets": "got = host['abstract'][1:] in open('/proc/net/unix').read()",
    "shared memory by name": "got = open('/dev/shm/' + host['name'], 'rb').read(1)",
    "shared memory by key": "got = call('shmget', host['key'], 0, 0)",
    "semaphore by key": "got = call('semget', host['key'], 0, 0)",
    "message queue by key": "got = call('msgget', host['key'], 0)",
    "message queue by name": "got = call('mq_open', b'/' + host['name'].encode(), 0)",
    "list of shared memory": "got = str(host['key']) in open('/proc/sysvipc/shm').read()",
    "key of the grader": "got = host['name'] in open('/proc/keys').read()",
    "server of the host": "got = socket.create_connection(('127.0.0.1', host['tcp']), 1)",
    "list of servers": "got = f':{host[\"tcp\"]:04X} ' in open('/proc/net/tcp').read()",
    "datagram to the host": """
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(0.5)
s.sendto(b'x', ('127.0.0.1', host['udp']))
got = s.recv(1)""",
    "server for the host": """
s = socket.create_server(('127.0.0.1', host['knocks']))
s.settimeout(0.5)
got = s.accept()""",
}

# these are tried in a room alone: outside they would do harm, or tell what nobody asked for
CLOSED = {
    "a notebook beside": "got = glob.glob('/submission/**/*.ipynb', recursive=True)",
    "variables of the first process": "got = open('/proc/1/environ', 'rb').read()",
    "memory of the first process": "got = os.open('/proc/1/mem', os.O_RDWR)",
    "pipe of the first process": "got = os.open('/proc/1/fd/0', os.O_WRONLY)",
    "root of the first process": "got = os.listdir('/proc/1/root/')",
    "folder of the first process": "got = os.listdir('/proc/1/cwd/')",
    "variables that it began with": (
        "got = host['variable'].encode() in b''.join("
        "open(p, 'rb').read() for p in glob.glob('/proc/self/environ') if os.access(p, os.R_OK))"
    ),
    "other processes": (
        "got = {int(p) for p in os.listdir('/proc') if p.isdigit()} - {1, os.getpid()}"
    ),
    "home folder": "got = set(os.listdir(host['home'])) - set(host['python'])",
    "keys of secure shell": "got = os.listdir(host['home'] + '/.ssh')",
    "names of users": "got = open('/etc/passwd').read(1)",
    "passwords": "got = open('/etc/shadow').read(1)",
    "folders of users": "got = os.listdir('/home')",
    "state of services": "got = os.listdir('/var')",
    "sockets of services": (
        "got = [p for p in glob.glob('/run/**', recursive=True) "
        "if stat.S_ISSOCK(os.lstat(p).st_mode) and not p.startswith('/run/kernel/')]"
    ),
    "socket of docker": "s = socket.socket(socket.AF_UNIX); s.connect('/run/docker.sock'); got = s",
    "memory of the kernel": "got = os.open('/proc/kcore', os.O_RDONLY)",
    "memory of the machine": "got = os.open('/dev/mem', os.O_RDONLY)",
    "disks": (
        "got = [p for p in glob.glob('/dev/**', recursive=True) "
        "if stat.S_ISBLK(os.lstat(p).st_mode)]"
    ),
    "terminal": "got = os.open('/dev/tty', os.O_RDWR)",
    "system of devices": "got = os.listdir('/sys')",
    "control groups": "got = os.listdir('/sys/fs/cgroup')",
    "program for dumps": "got = os.open('/proc/sys/kernel/core_pattern', os.O_WRONLY)",
    "keys of the kernel": "got = os.open('/proc/sysrq-trigger', os.O_WRONLY)",
    "limit of namespaces": "got = os.open('/proc/sys/user/max_user_namespaces', os.O_WRONLY)",
    "file in the root": "got = open('/new', 'w')",
    "file in the system": "got = open('/usr/new', 'w')",
    "file in the settings": "got = open('/etc/new', 'w')",
    "file beside the sockets": "got = open('/run/new', 'w')",
    "file among the devices": "got = open('/dev/new', 'w')",
    "file in Python": "got = open(sys.prefix + '/new', 'w')",
    "file in Python's base": "got = open(sys.base_prefix + '/new', 'w')",
    "file in deeplearn": "import deeplearn; got = open(deeplearn.__path__[0] + '/new', 'w')",
    "replace deeplearn": "import deeplearn; got = open(deeplearn.__file__, 'a')",
    "address by name": "got = socket.getaddrinfo('example.org', 80)",
    "way out of the machine": (
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(('192.0.2.1', 9)); got = s"
    ),
    "way out by IPv6": (
        "s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); "
        "s.connect(('2001:db8::1', 9)); got = s"
    ),
    "cards": "got = [c for c in open('/proc/net/dev').read().split() if c[-1] == ':'] != ['lo:']",
    "raw packets": "got = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)",
    **{
        f"socket of {family}": f"got = socket.socket({number}, {kind})"
        for family, number, kind in (
            *(("VSOCK", 40, 1), ("NETLINK", 16, 3), ("PACKET", 17, 3), ("ALG", 38, 5)),
            *(("BLUETOOTH", 31, 5), ("CAN", 29, 3), ("TIPC", 30, 1), ("XDP", 44, 3)),
        )
    },
    "key into a keyring": "got = call(host['calls']['add_key'], b'user', b'x', b'y', 1, -3)",
    "keyring of the user": "got = call(host['calls']['keyctl'], 0, -4, 1)",
}

# these are honest: they succeed in the room, on a copy, and what was handed in stays as it is
COPY = {
    "append to the data file": "got = open('data.csv', 'a').write('3')",
    "write the data file again": "got = open('data.csv', 'w').write('3')",
    "rights of the data file": "os.chmod('data.csv', 0o600); got = True",
    "time of the data file": "os.utime('data.csv', (0, 0)); got = True",
    "add to a folder of data": "got = open('data/new.csv', 'w').write('3')",
    "move the folder of data": "os.rename('data', 'moved'); got = True",
    "second name of the data file": "os.link('data.csv', 'second.csv'); got = True",
    "another file in its place": "os.replace('second.csv', 'data.csv'); got = True",
    "delete the data file": "os.remove('data.csv'); got = True",
}
