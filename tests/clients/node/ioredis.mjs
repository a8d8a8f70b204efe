import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { assert, eventually, main, range, urls } from './support.mjs';

const connect = (options = {}, url = urls.cache) => {
  const client = new Redis(url, options);
  client.on('error', (failure) => console.error('client:', failure.message));
  return client;
};

async function pipelines() {
  const client = connect();
  const pipeline = client.pipeline();
  for (const number of range(5000)) pipeline.set(`k${number}`, number).get(`k${number}`);
  const replies = await pipeline.exec();
  assert.equal(replies.length, 10_000);
  range(5000).forEach((number) => {
    assert.deepEqual(replies[2 * number], [null, 'OK']);
    assert.deepEqual(replies[2 * number + 1], [null, String(number)]);
  });
  const raw = randomBytes(5_000_000);
  await client.set('raw', raw);
  assert.ok(raw.equals(await client.getBuffer('raw')));
}

async function autopipelining() {
  const client = connect({ enableAutoPipelining: true });
  const answers = await Promise.all(range(2000).map(async (number) => {
    await client.hset(`h${number % 50}`, `f${number}`, number);
    return client.hget(`h${number % 50}`, `f${number}`);
  }));
  assert.deepEqual(answers, range(2000).map(String));
}

async function transactions() {
  const client = connect();
  await client.set('text', 'x');
  const replies = await client.multi().set('a', 1).incr('text').incr('a').exec();
  assert.deepEqual(replies[0], [null, 'OK']);
  assert.match(replies[1][0].message, /not an integer/);
  assert.deepEqual(replies[2], [null, 2]);
  await client.multi({ pipeline: false });
  assert.equal(await client.set('step', 1), 'QUEUED');
  assert.equal(await client.incr('step'), 'QUEUED');
  assert.deepEqual(await client.exec(), [[null, 'OK'], [null, 2]]);
  await client.multi({ pipeline: false });
  await client.set('a', 99);
  assert.equal(await client.discard(), 'OK');
  assert.equal(await client.get('a'), '2');
}

async function watch() {
  const [one, other] = [connect(), connect()];
  await one.set('stock', 5);
  await one.watch('stock');
  await other.decr('stock');
  assert.equal(await one.multi().set('stock', 100).exec(), null);
  assert.equal(await one.get('stock'), '4');
  await one.watch('stock');
  assert.deepEqual(await one.multi().decr('stock').exec(), [[null, 3]]);
}

async function pubsub() {
  const [publisher, subscriber] = [connect(), connect()];
  const got = [];
  subscriber.on('message', (channel, message) => got.push([channel, message]));
  subscriber.on('pmessage', (pattern, channel, message) => got.push([pattern, channel, message]));
  assert.equal(await subscriber.subscribe('news', 'sport'), 2);
  assert.equal(await subscriber.psubscribe('w*'), 3);
  for (const number of range(100)) assert.equal(await publisher.publish('news', number), 1);
  await publisher.publish('weather', 'sun');
  await eventually(() => got.length === 101);
  assert.deepEqual(got.slice(0, 100), range(100).map((number) => ['news', String(number)]));
  assert.deepEqual(got[100], ['w*', 'weather', 'sun']);
  assert.equal(await subscriber.unsubscribe('news'), 2);
  assert.equal(await publisher.publish('news', 'late'), 0);
}

async function blocking() {
  const producer = connect();
  const consumers = range(10).map(() => connect());
  const popped = consumers.map(async (consumer) => {
    const mine = [];
    while (mine.length < 10) mine.push((await consumer.brpop('urgent', 'jobs', 20))[1]);
    return mine;
  });
  for (const number of range(100)) await producer.lpush(number % 2 ? 'urgent' : 'jobs', number);
  const all = (await Promise.all(popped)).flat().map(Number).sort((left, right) => left - right);
  assert.deepEqual(all, range(100));
  assert.equal(await producer.blpop('nothing', 0.1), null);
  const reader = connect();
  const read = reader.xread('BLOCK', 10_000, 'STREAMS', 'stream', '$');
  // Another reader of the same stream shows when the first is parked: both got the same entry.
  const written = eventually(async () => {
    await producer.xadd('stream', '*', 'f', 'v');
    return Promise.race([read.then(() => true), new Promise((resolve) => setTimeout(resolve, 5))]);
  });
  assert.equal((await read)[0][0], 'stream');
  await written;
}

async function ordering() {
  // Commands of one connection in flight together, across kinds: the replies keep program order.
  const client = connect();
  const replies = await Promise.all([
    client.rpush('list', 1, 2, 3), client.blpop('list', 1), client.lpop('list'),
    client.multi().lpop('list').llen('list').exec(), client.llen('list'), client.watch('list'),
    client.rpush('list', 9), client.unwatch(), client.brpop('list', 1),
  ]);
  assert.deepEqual(replies, [3, ['list', '1'], '2', [[null, '3'], [null, 0]], 0, 'OK', 1, 'OK', ['list', '9']]);
}

async function scripts() {
  const client = connect();
  client.defineCommand('addTwice', { numberOfKeys: 1, lua: "return redis.call('INCRBY', KEYS[1], ARGV[1] * 2)" });
  assert.equal(await client.addTwice('n', 4), 8);
  const replies = await client.pipeline().addTwice('n', 1).addTwice('n', 2).exec();
  assert.deepEqual(replies, [[null, 10], [null, 14]]);
  await client.script('FLUSH');
  assert.equal(await client.addTwice('n', 3), 20);
}

async function streams() {
  const client = connect();
  await client.xgroup('CREATE', 'orders', 'g', '$', 'MKSTREAM');
  const ids = [];
  for (const number of range(20)) ids.push(await client.xadd('orders', '*', 'n', number));
  const [[, entries]] = await client.xreadgroup('GROUP', 'g', 'c', 'COUNT', 50, 'BLOCK', 5000, 'STREAMS', 'orders', '>');
  assert.deepEqual(entries.map(([id]) => id), ids);
  assert.equal(await client.xack('orders', 'g', ...ids), 20);
}

async function scanning() {
  const client = connect();
  await client.mset(range(2000).flatMap((number) => [`user:${number}`, number]));
  await client.set('other', 1);
  const found = new Set();
  for await (const keys of client.scanStream({ match: 'user:*', count: 300 })) keys.forEach((key) => found.add(key));
  assert.equal(found.size, 2000);
}

async function databases() {
  const [cache, channels, broker] = [connect(), connect({}, urls.channels), connect({}, urls.broker)];
  await Promise.all([cache.set('k', 0), channels.set('k', 1), broker.set('k', 2)]);
  assert.deepEqual(await Promise.all([cache.get('k'), channels.get('k'), broker.get('k')]), ['0', '1', '2']);
}

async function reconnecting() {
  const client = connect({ connectionName: 'shop' });
  const admin = connect();
  assert.equal(await client.client('GETNAME'), 'shop');
  const id = await client.client('ID');
  await admin.client('KILL', 'ID', id);
  await eventually(async () => (await client.client('ID')) !== id);
  assert.equal(await client.client('GETNAME'), 'shop');
}

await main({
  pipelines, autopipelining, transactions, watch, pubsub, blocking, ordering, scripts, streams, scanning, databases,
  reconnecting,
});
