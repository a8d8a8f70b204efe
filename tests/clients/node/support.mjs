// What every Node program shares: named scenarios, one per run, with a deadline.
import assert from 'node:assert/strict';

export { assert };

export const urls = {
  cache: process.env.CACHE_URL,
  channels: process.env.CHANNELS_URL,
  broker: process.env.BROKER_URL,
};

const DEADLINE_MS = 45_000;

export async function eventually(condition, message = 'not true in time', milliseconds = 15_000) {
  const deadline = Date.now() + milliseconds;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(message);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export const range = (count) => Array.from({ length: count }, (_, index) => index);

// `--list` prints the names; otherwise the first argument names the scenario to run.
export async function main(scenarios) {
  const name = process.argv[2];
  if (name === '--list') {
    console.log(Object.keys(scenarios).join('\n'));
    return;
  }
  if (!scenarios[name]) {
    console.error(`no scenario ${name}`);
    process.exit(2);
  }
  setTimeout(() => {
    console.error(`${name}: no end after ${DEADLINE_MS} ms`);
    process.exit(3);
  }, DEADLINE_MS).unref();
  try {
    await scenarios[name]();
    process.exit(0);
  } catch (failure) {
    console.error(failure);
    process.exit(1);
  }
}
