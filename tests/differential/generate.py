"""Random conversations that have only one right answer.

What could race is kept out. Whoever has blocked may be served at a time of somebody else's choosing, so it
touches keys of its own and publishes nothing, until it comes back on a new connection; a blocked client is
served by one command alone. Steps that go out together touch keys of their clients' own.
"""

import dataclasses
import random

from differential.conversation import EVERYBODY, Action, Conversation, Step, step
from differential.menus import BEFORE_IT_DISCARD, JOINING, LEAVING, Menus, publishes, publishes_in_script

CUTS_MAX = 5
SHORT = 120  # bytes that may be sent one by one


@dataclasses.dataclass
class Client:
    """What the generator must know of a client to stay deterministic. It errs on the careful side."""

    name: str
    user: object = None  # a modes.User; None: nobody yet, or nobody has to log in
    multi: bool = False
    watching: bool = False  # has ever watched since the last RESET
    subscribed: bool = False
    silent: bool = False
    resp3: bool = False  # has ever spoken RESP3 on this connection
    blocked: bool = False  # has ever blocked: what is queued behind runs when somebody serves it
    holding: bool = False  # half a command is on its way
    there: bool = True

    def renew(self):
        self.__init__(self.name)


class Generator:
    def __init__(self, seed, world):
        self.random = random.Random(seed)
        self.world = world
        names = "ABCD"[: self.random.choice((1, 2, 2, 3, 3, 4))]
        self.clients = [Client(name) for name in names]
        self.menus = Menus(self.random, world, self.clients)

    def conversation(self, title):
        steps = [one for client in self.clients for one in self._hello(client)]
        for _ in range(self.random.randint(4, 16)):
            steps += self._act()
        options = {"resp2"} | ({"password", "unauthenticated"} if self.world.users else set())
        return Conversation(title, tuple(steps), frozenset(options))

    def _chance(self, probability):
        return self.random.random() < probability

    def _hello(self, client):
        commands = []
        if self.world.users and self._chance(0.7):
            commands.append(self.menus.log_in(client, self.random.choice(self.world.users)))
        if self._chance(0.45):
            client.resp3 = True
            commands.append(("HELLO", 3))
        return [step(client.name, *commands, wait=0)] if commands else []

    # What happens next.

    def _act(self):
        acts = {self._turn: 70, self._together: 12, self._leave: 4, self._inline: 4, self._timeout: 2}
        if any(one.blocked for one in self.clients):
            acts[self._serve] = 40
        if self.world.restarts:
            acts[self._restart] = 14
        return self.random.choices(list(acts), acts.values())[0]()

    def _turn(self):
        client = self.random.choice(self.clients)
        if not client.there:
            return self._come_back(client)
        one = step(client.name, *self._commands(client), wait=0)
        if client.holding or not self._chance(0.05):
            client.holding = False
            return [self._cut(one)]
        client.holding = True
        return [self._cut(one.but(hold=self.random.randrange(len(one.data))))]

    def _cut(self, one):
        end = one.hold if one.hold >= 0 else len(one.data)
        if self._chance(0.6) or end < 2:
            return one
        if end <= SHORT and self._chance(0.3):
            return one.but(cuts=tuple(range(1, end)))
        count = self.random.randint(1, min(CUTS_MAX, end - 1))
        return one.but(cuts=tuple(sorted(self.random.sample(range(1, end), count))))

    def _commands(self, client, alone=True):
        """alone: nobody else is sent anything at the same time."""
        commands = []
        for _ in range(self.random.choice((1, 1, 1, 2, 3, 5, 9))):
            command = self.menus.command(client, alone)
            if command == ("RESET",) and self.world.users and (commands or client.blocked or client.holding):
                # Redis closes whoever is unauthenticated with replies of some size still unsent.
                command = ("PING",)
            if command[:1] in LEAVING and any(publishes_in_script(sent) for sent in commands):
                # Its own message may come after its reply, and then find nobody, as the README says.
                command = ("PING",)
            if command[:1] in JOINING and any(publishes(sent) for sent in commands):
                # What it published may still be on its way to others of the shard, and finds it too.
                command = ("PING",)
            if command[:2] in BEFORE_IT_DISCARD or command[:1] in BEFORE_IT_DISCARD:
                # What the sidecar refuses in a transaction, as the README says, stays out of them.
                commands.append(("DISCARD",))
                client.multi = False
            commands += [*self._before(client, command), command]
            if command == ("RESET",):
                client.multi = client.watching = client.subscribed = client.silent = False
                client.user = None
            if client.user is not None and client.user.dbs and command[0] in ("AUTH", "HELLO"):
                select = ("SELECT", self.random.choice(client.user.dbs))
                commands += [*self._before(client, select), select]
        if self._chance(0.12):
            commands += self.menus.whole_transaction(client, alone)
        if client.silent and not client.blocked:
            # Its answer tells that the turn is over, before anybody else has theirs.
            commands += [("DISCARD",), ("CLIENT", "REPLY", "ON")]
            client.silent = client.multi = False
        return commands

    def _before(self, client, command):
        """Under strict, SELECT of another db is refused in a transaction and while keys are watched."""
        if command[0] != "SELECT" or not self.menus.strict or not (client.multi or client.watching):
            return []
        client.multi = client.watching = False
        return [("DISCARD",), ("UNWATCH",)]

    def _unburdened(self):
        """Who can be sent something and has nothing else on its way: no half command, no queue of MULTI."""
        return [one for one in self.clients if one.there and not (one.blocked or one.holding or one.multi)]

    def _together(self):
        able = self._unburdened()
        if len(able) < 2:
            return self._turn()
        chosen = self.random.sample(able, self.random.randint(2, len(able)))
        steps = [
            self._cut(step(one.name, *self._commands(one, alone=False), wait=0, together=True))
            for one in chosen
        ]
        return [*steps[:-1], steps[-1].but(together=False)]

    def _leave(self):
        """In the middle of whatever it was doing."""
        client = self.random.choice(self.clients)
        if not client.there:
            return self._come_back(client)
        client.there = False
        steps = [Step(client.name, action=Action.CLOSE)]
        return steps + self._come_back(client) if self._chance(0.5) else steps

    def _come_back(self, client):
        client.renew()
        return [Step(client.name, action=Action.OPEN), *self._hello(client)]

    def _inline(self):
        client = self.random.choice(self.clients)
        if client.blocked or client.holding or not client.there:
            return self._turn()
        line = self.random.choice(self.menus.inline(client))
        return [self._cut(Step(client.name, raw=line.encode() + self.random.choice((b"\n", b"\r\n"))))]

    def _timeout(self):
        """A call that nobody serves."""
        client = self.random.choice(self.clients)
        if client not in self._unburdened() or client.subscribed:
            # Subscribed in RESP2, a client that has turned replies off cannot turn them on again.
            return self._turn()
        return [step(client.name, self.random.choice(self.menus.unserved()), wait=1)]

    def _serve(self):
        able = self._unburdened()
        if not able:
            return self._leave()
        client = self.random.choice(able)
        return [step(client.name, self.menus.serve(), wait=0)]

    def _restart(self):
        """Clients of the sidecar keep what they told it last; plain Redis is told again."""
        steps = []
        self.menus.waited_for = []
        for client in self.clients:
            if client.blocked or not client.there:
                if client.there:
                    steps.append(Step(client.name, action=Action.CLOSE))
                client.renew()
                steps.append(Step(client.name, action=Action.OPEN))
            client.renew()
            steps.append(step(client.name, ("RESET",), wait=0))
            steps.append(step(client.name, *self._lasting(client), wait=0, lasting=True))
        return [*steps, Step(EVERYBODY, action=self.random.choice((Action.RESTART, Action.RESTART_EMPTY)))]

    def _lasting(self, client):
        commands = [("SELECT", self.random.randrange(self.world.dbs)), ("CLIENT", "SETNAME", client.name)]
        if self._chance(0.5):
            client.resp3 = True
            commands.append(("HELLO", 3))
        if self._chance(0.3):
            commands.append(("SUBSCRIBE", "ch", f"own{client.name}"))
            commands.append(("PSUBSCRIBE", "n*"))
            client.subscribed = True
        elif self._chance(0.4):
            # Nobody has pushed to it: what is told again must wait again.
            self.menus.waited_for.append(f"lasting{self.menus.next_serial()}")
            commands.append(("BLPOP", self.menus.waited_for[-1], 0))
            client.blocked = True
        return commands
