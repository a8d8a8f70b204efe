// node-redis; RESP in the environment is the protocol version.
import { randomBytes } from 'node:crypto';
import { BasicClientSideCache, createClient, createClientPool, defineScript, RESP_TYPES } from 'redis';
import { assert, eventually, main, range, urls } from './support.mjs';

const RESP = Number(process.env.RESP ?? 3);

async function connect(options = {}) {
  const client = createClient({ url: urls.cache, RESP, ...options });
  client.on('error', (failure) => console.error('client:', failure.message));
  return client.connect();
}

async function pipelines() {
  const client = await connect();
  const answers = await Promise.all(range(3000).map(async (number) => {
    await client.set(`k${number}`, number);
    return client.get(`k${number}`);
  }));
  assert.deepEqual(answers, range(3000).map(String));
  const raw = randomBytes(3_000_000);
  await client.set('raw', raw);
  assert.ok(raw.equals(await client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer }).get('raw')));
  const replies = await client.multi().set('a', 1).incr('a').execAsPipeline();
  assert.deepEqual(replies, ['OK', 2]);
}

async function types() {
  const client = await connect();
  await client.hSet('h', { a: '1', b: '2' });
  assert.deepEqual({ ...(await client.hGetAll('h')) }, { a: '1', b: '2' });
  await client.zAdd('z', [{ value: 'x', score: 1.5 }, { value: 'y', score: 2 }]);
  assert.deepEqual((await client.zRangeWithScores('z', 0, -1)).map((one) => ({ ...one })),
    [{ value: 'x', score: 1.5 }, { value: 'y', score: 2 }]);
  assert.equal(await client.zScore('z', 'none'), null);
  await client.sAdd('s', ['p', 'q']);
  assert.deepEqual([...(await client.sMembers('s'))].sort(), ['p', 'q']);
  await assert.rejects(client.incr('h'), /WRONGTYPE/);
}

async function transactions() {
  const client = await connect();
  assert.deepEqual(await client.multi().set('a', 1).incrBy('a', 41).get('a').exec(), ['OK', 42, '42']);
  await client.set('text', 'x');
  await assert.rejects(client.multi().incr('text').set('b', 1).exec());
  assert.equal(await client.get('b'), '1');
}

async function watch() {
  const [one, other] = [await connect(), await connect()];
  await one.set('stock', 5);
  await one.watch('stock');
  await other.decr('stock');
  await assert.rejects(one.multi().set('stock', 100).exec(), /watch/i);
  assert.equal(await one.get('stock'), '4');
  await one.watch('stock');
  assert.deepEqual(await one.multi().decr('stock').exec(), [3]);
}

async function pubsub() {
  const publisher = await connect();
  const subscriber = await publisher.duplicate().connect();
  const got = [];
  await subscriber.subscribe(['news', 'sport'], (message, channel) => got.push([channel, message]));
  await subscriber.pSubscribe('w*', (message, channel) => got.push([channel, message]));
  await subscriber.sSubscribe('slot', (message, channel) => got.push([channel, message]));
  for (const number of range(100)) assert.equal(await publisher.publish('news', String(number)), 1);
  await publisher.publish('weather', 'sun');
  assert.equal(await publisher.sPublish('slot', 'shard'), 1);
  await eventually(() => got.length === 102);
  assert.deepEqual(got.slice(0, 100), range(100).map((number) => ['news', String(number)]));
  assert.deepEqual(got.slice(100).sort(), [['slot', 'shard'], ['weather', 'sun']]);
  await subscriber.unsubscribe('news');
  assert.equal(await publisher.publish('news', 'late'), 0);
  if (RESP === 3) {
    await subscriber.set('still', 'usable');
    assert.equal(await subscriber.get('still'), 'usable');
  }
}

async function blocking() {
  const producer = await connect();
  const pool = await createClientPool({ url: urls.cache, RESP }, { minimum: 1, maximum: 20 }).connect();
  const pops = range(100).map(() => pool.brPop(['urgent', 'jobs'], 20));
  for (const number of range(100)) await producer.lPush(number % 2 ? 'urgent' : 'jobs', String(number));
  const popped = (await Promise.all(pops)).map((one) => Number(one.element)).sort((left, right) => left - right);
  assert.deepEqual(popped, range(100));
  assert.equal(await producer.blPop('nothing', 0.1), null);
}

async function scripts() {
  const client = await connect({
    scripts: {
      double: defineScript({
        NUMBER_OF_KEYS: 1,
        SCRIPT: "return redis.call('INCRBY', KEYS[1], ARGV[1] * 2)",
        parseCommand(parser, key, amount) {
          parser.pushKey(key);
          parser.push(String(amount));
        },
        transformReply: (reply) => reply,
      }),
    },
  });
  assert.equal(await client.double('n', 4), 8);
  await client.scriptFlush();
  assert.equal(await client.double('n', 1), 10);
}

async function caching() {
  // Tracking needs RESP3: with 2 the client itself refuses.
  if (RESP === 2) {
    assert.throws(() => createClient({ url: urls.cache, RESP, clientSideCache: { ttl: 0 } }), /RESP3/);
    return;
  }
  const cache = new BasicClientSideCache({ ttl: 0, maxEntries: 0, evictPolicy: 'LRU' });
  const [cached, writer] = [await connect({ clientSideCache: cache }), await connect()];
  await writer.set('price', 1);
  assert.equal(await cached.get('price'), '1');
  assert.equal(await cached.get('price'), '1');
  assert.ok(cache.stats().hitCount >= 1, 'nothing came from the cache');
  for (const price of range(10)) {
    await writer.set('price', price);
    await eventually(async () => (await cached.get('price')) === String(price), `still stale: ${price}`);
  }
}

async function scanning() {
  const client = await connect();
  await client.mSet(range(2000).map((number) => [`user:${number}`, String(number)]));
  const found = new Set();
  for await (const keys of client.scanIterator({ MATCH: 'user:*', COUNT: 300 })) keys.forEach((key) => found.add(key));
  assert.equal(found.size, 2000);
}

async function reconnecting() {
  const [client, admin] = [await connect({ name: 'shop' }), await connect()];
  assert.equal(await client.clientGetName(), 'shop');
  const id = await client.clientId();
  await admin.clientKill({ filter: 'ID', id });
  await eventually(async () => (await client.clientId().catch(() => id)) !== id);
  assert.equal(await client.clientGetName(), 'shop');
}

await main({
  pipelines, types, transactions, watch, pubsub, blocking, scripts, caching, scanning, reconnecting,
});
