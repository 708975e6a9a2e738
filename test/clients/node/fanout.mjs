// Fan-out with node-redis: many subscribers by channel, by pattern and by shard
// channel, with RESP2 and RESP3, and a cache that the server invalidates.
import assert from 'node:assert/strict';
import { createClient, RESP_TYPES } from 'redis';

const url = `redis://127.0.0.1:${process.env.PORT}`;
const clients = [];
async function connect(options = {}) {
  const c = createClient({ url, ...options });
  c.on('error', (err) => { throw err; });
  await c.connect();
  clients.push(c);
  return c;
}
async function until(what, check) {
  for (let i = 0; i < 2000; i++) {
    if (await check()) return;
    await new Promise((r) => setTimeout(r, 10));
  }
  throw new Error(`still not true: ${what}`);
}

async function everyoneHears(RESP) {
  const publisher = await connect({ RESP });
  const heard = [];
  for (let i = 0; i < 40; i++) {
    const c = await connect({ RESP });
    const mine = [];
    heard.push(mine);
    if (i % 3 === 0) await c.pSubscribe(`news${RESP}.*`, (message, channel) => mine.push([channel, message]));
    else if (i % 3 === 1) await c.subscribe(`news${RESP}.all`, (message, channel) => mine.push([channel, message]));
    else await c.sSubscribe(`news${RESP}.all`, (message, channel) => mine.push([channel, message]));
  }
  for (let n = 0; n < 100; n++) {
    assert.equal(await publisher.publish(`news${RESP}.all`, `message ${n}`), 27);
    assert.equal(await publisher.sPublish(`news${RESP}.all`, `message ${n}`), 13);
  }
  const expected = Array.from({ length: 100 }, (_, n) => [`news${RESP}.all`, `message ${n}`]);
  for (const mine of heard) {
    await until('all messages have arrived', () => mine.length === 100);
    assert.deepEqual(mine, expected);
  }
  assert.deepEqual(await publisher.pubSubChannels(`news${RESP}*`), [`news${RESP}.all`]);
  const [count] = Object.values(await publisher.pubSubNumSub(`news${RESP}.all`));
  assert.equal(count, 13);
}

async function theCacheIsInvalidated() {
  const cached = await connect({ RESP: 3, clientSideCache: { ttl: 0, maxEntries: 100, evictPolicy: 'LRU' } });
  const writer = await connect();
  await writer.set('cached', 'old');
  assert.equal(await cached.get('cached'), 'old');
  assert.equal(await cached.get('cached'), 'old');
  await writer.set('cached', 'new');
  await until('the new value is seen', async () => (await cached.get('cached')) === 'new');
}

async function repliesOfEveryShape() {
  const c = await connect({ RESP: 3 });
  await c.zAdd('board', [{ score: 1.5, value: 'a' }, { score: 2, value: 'b' }]);
  assert.deepEqual(await c.zRangeWithScores('board', 0, -1), [{ value: 'a', score: 1.5 }, { value: 'b', score: 2 }]);
  await c.hSet('h', { a: '1', b: '2' });
  assert.deepEqual({ ...(await c.hGetAll('h')) }, { a: '1', b: '2' });
  await c.sAdd('s', ['x', 'y']);
  assert.deepEqual([...(await c.sMembers('s'))].sort(), ['x', 'y']);
  const id = await c.xAdd('stream', '*', { field: 'value' });
  const [entry] = await c.xRange('stream', '-', '+');
  assert.equal(entry.id, id);
  assert.equal(entry.message.field, 'value');
  assert.equal(await c.geoAdd('places', { longitude: 13.361389, latitude: 38.115556, member: 'Palermo' }), 1);
  const [position] = await c.geoPos('places', 'Palermo');
  assert.ok(Math.abs(Number(position.longitude) - 13.361389) < 1e-5);
  const replies = await c.multi().set('k', '1').incr('k').exec();
  assert.deepEqual(replies, ['OK', 2]);
  assert.ok((await c.info('server')).includes('redis_version'));
  const found = [];
  for await (const keys of c.scanIterator({ MATCH: '*', COUNT: 100 })) found.push(...keys);
  assert.ok(found.includes('board'));
  assert.ok((await c.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer }).get('k')).equals(Buffer.from('2')));
}

try {
  await everyoneHears(2);
  await everyoneHears(3);
  await theCacheIsInvalidated();
  await repliesOfEveryShape();
} catch (err) {
  console.error(err);
  process.exit(1);
}
for (const c of clients) c.destroy();
