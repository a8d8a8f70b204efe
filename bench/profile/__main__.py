"""Where a proxy's CPU goes under a workload: shares of its samples, system calls per command, and what
functions of the sidecar that take most. Needs perf and, for the kernel's side, root.

Samples are of perf's cpu-clock, so that it works in virtual machines too; a sample counts for the first kind
of KINDS that its stack fits.
"""

import argparse
import collections
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.proxy import stand, workloads

HERTZ = 1999
FUNCTIONS_SHOWN = 25
SEND = r"sys_send|sys_write|do_writev|vfs_writev"
KINDS = (
    ("send: the receiver's part", r"__do_softirq|handle_softirqs|net_rx_action", SEND),
    ("send: our part", SEND, ""),
    ("receive", r"sys_recv|sys_read|do_readv", ""),
    ("waiting: asleep, switching", r"(^| )(__)?schedule(_\w+)?( |$)", r"epoll_wait"),
    ("waiting: the rest", r"epoll_wait|epoll_pwait", ""),
    ("epoll_ctl", r"epoll_ctl", ""),
    ("other system calls", r"entry_SYSCALL", ""),
    ("interrupts", r"asm_sysvec|asm_common_interrupt|asm_exc", ""),
    ("user: own code and libraries", r"", ""),
)
CALLS = (
    "sendto",
    "sendmsg",
    "writev",
    "write",
    "recvfrom",
    "recvmsg",
    "read",
    "epoll_wait",
    "epoll_ctl",
    "poll",
)


def arguments():
    parser = argparse.ArgumentParser(prog="./dev bench profile", description=__doc__)
    stand.add_options(parser)
    return parser.parse_args()


def kind_of(stack):
    words = " ".join(stack)
    return next(name for name, one, other in KINDS if re.search(one, words) and re.search(other, words))


def perf(arguments_, path):
    return subprocess.Popen(
        ["perf", *arguments_, "-o", str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def while_perf_runs(started, work):
    try:
        return work()
    finally:
        started.send_signal(signal.SIGINT)
        started.wait()


def samples(contender, work, folder):
    """The stack of each sample, innermost function first."""
    path = Path(folder) / "record"
    record = perf(["record", "-F", str(HERTZ), "-e", "cpu-clock", "-g", "-p", str(contender.pid)], path)
    while_perf_runs(record, work)
    command = ["perf", "script", "-i", str(path), "-F", "ip,sym"]
    text = subprocess.run(command, capture_output=True, text=True).stdout
    for block in text.split("\n\n"):
        if stack := [line.split(None, 1)[-1] for line in block.splitlines() if line.strip()]:
            yield stack


def calls(contender, work, folder):
    """System calls per command."""
    path = Path(folder) / "stat"
    events = ",".join(f"syscalls:sys_enter_{name}" for name in CALLS)
    commands = while_perf_runs(perf(["stat", "-x", ",", "-e", events, "-p", str(contender.pid)], path), work)[
        "commands"
    ]
    counted = {}
    for line in path.read_text().splitlines():
        fields = line.split(",")
        if len(fields) > 2 and fields[0].isdigit():
            counted[fields[2].removeprefix("syscalls:sys_enter_")] = int(fields[0]) / commands
    return counted


def show_shares(shares):
    print(f"{'':<30}" + "".join(f"{name:>12}" for name in shares))
    for kind, _, _ in KINDS:
        parts = [counts[kind] / max(1, counts.total()) for counts in shares.values()]
        print(f"{kind:<30}" + "".join(f"{part:>12.1%}" for part in parts))
    print(f"{'samples':<30}" + "".join(f"{counts.total():>12}" for counts in shares.values()))


def show_calls(counted):
    print(f"\n{'calls per command':<30}" + "".join(f"{name:>12}" for name in counted))
    for call in CALLS:
        values = [each.get(call, 0) for each in counted.values()]
        if max(values) >= 0.001:
            print(f"{call:<30}" + "".join(f"{value:>12.3f}" for value in values))


def show_functions(name, functions, total):
    print(f"\n{name}: functions by their own samples, user space")
    for function, count in functions.most_common(FUNCTIONS_SHOWN):
        print(f"{count / total:>7.1%}  {re.sub(r'[(].*', '', function)[:100]}")


def profile(workload, opened, builds):
    print(f"\n== {workload.name}")
    shares, counted, functions = {}, {}, {}
    present = [each for each in opened.contenders if each.pid and each.name not in workload.absent]
    for contender in present:
        workload.prepare(opened.redis.port)

        def work(target=contender):
            return workload.run(target.port, workload.requests, opened.tools)

        with tempfile.TemporaryDirectory(prefix="sidecar-bench-") as folder:
            stacks = list(samples(contender, work, folder))
            counted[contender.name] = calls(contender, work, folder)
        shares[contender.name] = collections.Counter(map(kind_of, stacks))
        user = [stack[0] for stack in stacks if kind_of(stack) == KINDS[-1][0]]
        functions[contender.name] = collections.Counter(user)
    show_shares(shares)
    show_calls(counted)
    for name in builds:
        if name in functions:
            show_functions(name, functions[name], max(1, shares[name].total()))


def main():
    options = arguments()
    if options.list:
        print("\n".join(each.name for each in workloads.ALL))
        return 0
    with stand.opened(options) as opened:
        for workload in workloads.chosen(options.only):
            profile(workload, opened, stand.builds(options))
    return 0


if __name__ == "__main__":
    sys.exit(main())
