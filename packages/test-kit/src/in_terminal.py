"""Runs a program in a pseudo-terminal, as a person at a keyboard would. Standard input: {argv, env, cwd, columns, steps}, JSON.

A step is {"wait": TEXT}, {"waitForFile": PATH}, {"makeFile": PATH}, {"send": TEXT}, {"signal": NAME} or {"pause": SECONDS}; paths are
below `cwd`. Prints {output, code, restored}: `restored` says whether the settings of the terminal (`stty`) are those of before.
"""
import fcntl, json, os, pty, select, signal, struct, sys, termios, time

# Only what hangs ends here: a busy machine may take its time.
PATIENCE_SECONDS = 100


def main():
    task = json.load(sys.stdin)
    master, slave = pty.openpty()
    os.set_blocking(master, False)
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, task["columns"], 0, 0))
    before = termios.tcgetattr(slave)
    child = start(task, slave)
    seen = bytearray()
    at = 0
    for step in task["steps"]:
        if "wait" in step:
            at = read_until(master, seen, step["wait"].encode(), at)
        elif "waitForFile" in step:
            wait_for_file(os.path.join(task["cwd"], step["waitForFile"]))
        elif "makeFile" in step:
            open(os.path.join(task["cwd"], step["makeFile"]), "x").close()
        elif "send" in step:
            send(master, seen, step["send"].encode("latin1" if step.get("bytes") else "utf8"))
        elif "signal" in step:
            os.kill(child, getattr(signal, step["signal"]))
        else:
            read_for(master, seen, step["pause"])
    code = wait_for_end(child, master, seen)
    restored = termios.tcgetattr(slave) == before
    os.close(slave)
    read_rest(master, seen)
    print(json.dumps({"output": seen.decode("utf8", "replace"), "code": code, "restored": restored}))


def start(task, slave):
    child = os.fork()
    if child == 0:
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        for descriptor in range(3):
            os.dup2(slave, descriptor)
        os.closerange(3, 64)
        os.chdir(task["cwd"])
        os.execve(task["argv"][0], task["argv"], task["env"])
    return child


def read_some(master, seen, seconds):
    if select.select([master], [], [], seconds)[0]:
        seen += os.read(master, 65536)


def read_for(master, seen, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        read_some(master, seen, end - time.monotonic() if end > time.monotonic() else 0)


def read_until(master, seen, text, start):
    end = time.monotonic() + PATIENCE_SECONDS
    while text not in seen[start:]:
        if time.monotonic() > end:
            sys.exit(f"waited for {text!r}, got {bytes(seen[start:])!r}")
        read_some(master, seen, 0.2)
    return seen.index(text, start) + len(text)


def read_rest(master, seen):
    """Until the last program has closed the terminal; not for ever, as one that was left behind may keep it open."""
    try:
        while select.select([master], [], [], 1)[0]:
            seen += os.read(master, 65536)
    except OSError:
        pass


def wait_for_file(path):
    end = time.monotonic() + PATIENCE_SECONDS
    while not os.path.exists(path):
        if time.monotonic() > end:
            sys.exit(f"waited for {path}")
        time.sleep(0.02)


def send(master, seen, data):
    """As much at once as the terminal takes, as a paste comes: what the program prints meanwhile is read."""
    while data:
        ready = select.select([master], [master], [], PATIENCE_SECONDS)
        if ready[0]:
            seen += os.read(master, 65536)
        if ready[1]:
            data = data[os.write(master, data[:4096]):]


def wait_for_end(child, master, seen):
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        read_some(master, seen, 0.02)
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


main()
