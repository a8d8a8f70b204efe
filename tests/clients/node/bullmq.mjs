import { FlowProducer, Queue, QueueEvents, UnrecoverableError, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { assert, eventually, main, range, urls } from './support.mjs';

const connection = () => new Redis(urls.broker, { maxRetriesPerRequest: null });

function service(name, processor, options = {}) {
  const queue = new Queue(name, { connection: connection() });
  const worker = new Worker(name, processor, { connection: connection(), ...options });
  worker.on('error', (failure) => console.error('worker:', failure.message));
  const events = new QueueEvents(name, { connection: connection() });
  return { queue, worker, events };
}

async function results() {
  const { queue, events } = service('sums', async (job) => job.data.left + job.data.right, { concurrency: 8 });
  await events.waitUntilReady();
  const jobs = await queue.addBulk(range(200).map((number) => ({ name: 'add', data: { left: number, right: 1 } })));
  const sums = await Promise.all(jobs.map((job) => job.waitUntilFinished(events, 30_000)));
  assert.deepEqual(sums, range(200).map((number) => number + 1));
  const counts = await queue.getJobCounts('completed', 'failed', 'active', 'waiting');
  assert.deepEqual(counts, { completed: 200, failed: 0, active: 0, waiting: 0 });
}

async function retries() {
  const { queue, events } = service('flaky', async (job) => {
    if (job.name === 'hopeless') throw new UnrecoverableError('never');
    if (job.attemptsMade < 2) throw new Error('not yet');
    return job.attemptsMade;
  });
  await events.waitUntilReady();
  const options = { attempts: 4, backoff: { type: 'fixed', delay: 50 } };
  const flaky = await queue.add('flaky', {}, options);
  assert.equal(await flaky.waitUntilFinished(events, 30_000), 2);
  const hopeless = await queue.add('hopeless', {}, options);
  await assert.rejects(hopeless.waitUntilFinished(events, 30_000), /never/);
  assert.equal(await hopeless.getState(), 'failed');
  assert.equal((await queue.getJob(hopeless.id)).attemptsMade, 1);
}

async function priorities() {
  const order = [];
  const { queue, worker } = service('ordered', async (job) => order.push(job.name), { autorun: false });
  for (const priority of [3, 1, 2]) {
    for (const number of range(3)) await queue.add(`p${priority}-${number}`, {}, { priority });
  }
  worker.run();
  await eventually(() => order.length === 9);
  assert.deepEqual(order, [1, 2, 3].flatMap((priority) => range(3).map((number) => `p${priority}-${number}`)));
}

async function delays() {
  const ran = [];
  const { queue, events } = service('later', async (job) => ran.push([job.name, Date.now()]));
  await events.waitUntilReady();
  const start = Date.now();
  const late = await queue.add('late', {}, { delay: 900 });
  const soon = await queue.add('soon', {}, { delay: 300 });
  await Promise.all([late, soon].map((job) => job.waitUntilFinished(events, 30_000)));
  assert.deepEqual(ran.map(([name]) => name), ['soon', 'late']);
  assert.ok(ran[0][1] - start >= 300 && ran[1][1] - start >= 900, `early: ${JSON.stringify(ran)}`);
}

async function flows() {
  const { events } = service('flow', async (job) => {
    if (job.name !== 'assemble') return job.data.part;
    return Object.values(await job.getChildrenValues()).sort();
  });
  await events.waitUntilReady();
  const producer = new FlowProducer({ connection: connection() });
  const tree = await producer.add({
    name: 'assemble',
    queueName: 'flow',
    children: range(5).map((part) => ({ name: 'make', queueName: 'flow', data: { part } })),
  });
  assert.deepEqual(await tree.job.waitUntilFinished(events, 30_000), range(5));
}

async function pausing() {
  const done = [];
  const { queue, worker } = service('paused', async (job) => done.push(job.name));
  await worker.waitUntilReady();
  await queue.pause();
  await queue.addBulk(range(5).map((number) => ({ name: `job${number}`, data: {} })));
  assert.equal(await queue.isPaused(), true);
  assert.equal(done.length, 0);
  await queue.resume();
  await eventually(() => done.length === 5);
  assert.deepEqual((await queue.getWorkers()).length, 1);
}

async function repeating() {
  let runs = 0;
  const { queue } = service('ticks', async () => { runs += 1; });
  await queue.upsertJobScheduler('tick', { every: 200 }, { name: 'tick' });
  await eventually(() => runs >= 3);
  assert.equal(await queue.removeJobScheduler('tick'), true);
}

async function stalled() {
  // A worker that dies without a word: another takes its job when the lock has run out.
  const short = { lockDuration: 400, stalledInterval: 300, maxStalledCount: 3 };
  const { queue, worker, events } = service('stalled', () => new Promise(() => {}), short);
  await events.waitUntilReady();
  const job = await queue.add('work', {});
  await eventually(async () => (await job.getState()) === 'active');
  await worker.close(true);
  const second = new Worker('stalled', async () => 'rescued', { connection: connection(), ...short });
  second.on('error', (failure) => console.error('worker:', failure.message));
  assert.equal(await job.waitUntilFinished(events, 30_000), 'rescued');
}

async function shutdown() {
  let finished = 0;
  const { queue, worker } = service('closing', async () => {
    await new Promise((resolve) => setTimeout(resolve, 100));
    finished += 1;
  }, { concurrency: 3 });
  await queue.addBulk(range(12).map(() => ({ name: 'work', data: {} })));
  await eventually(() => finished >= 3);
  await worker.close();
  const after = finished;
  assert.equal(await queue.getCompletedCount(), after);
  assert.equal(await queue.getWaitingCount(), 12 - after);
  const next = new Worker('closing', async () => { finished += 1; }, { connection: connection() });
  await eventually(() => finished === 12);
  await next.close();
}

await main({
  results, retries, priorities, delays, flows, pausing, repeating, stalled, shutdown,
});
