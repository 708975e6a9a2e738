// A session store and a shopping cart with ioredis: hashes that expire, pipelines,
// optimistic transactions, scripts as commands, key prefixes, scan streams.
import assert from 'node:assert/strict';
import { Redis } from 'ioredis';

const options = { host: '127.0.0.1', port: Number(process.env.PORT) };
const redis = new Redis(options);

redis.defineCommand('touchSession', {
  numberOfKeys: 1,
  lua: `if redis.call('EXISTS', KEYS[1]) == 0 then return false end
        redis.call('HINCRBY', KEYS[1], 'hits', 1)
        redis.call('PEXPIRE', KEYS[1], ARGV[1])
        return redis.call('HGETALL', KEYS[1])`,
});

async function sessions() {
  const made = redis.pipeline();
  for (let i = 0; i < 200; i++) {
    made.hset(`session:${i}`, { user: `user${i}`, created: Date.now(), hits: 0, agent: 'x'.repeat(i) });
    made.pexpire(`session:${i}`, 60000);
    made.sadd('sessions', i);
    made.zadd('sessions:recent', i, `session:${i}`);
  }
  for (const [err, reply] of await made.exec()) {
    assert.equal(err, null);
    assert.ok(reply !== undefined);
  }
  const fields = await redis.touchSession('session:7', 90000);
  assert.equal(fields[fields.indexOf('hits') + 1], '1');
  assert.ok((await redis.pttl('session:7')) > 60000);
  assert.equal(await redis.touchSession('session:none', 1), null);
  assert.deepEqual(await redis.hmget('session:9', 'user', 'missing'), ['user9', null]);
  assert.deepEqual(await redis.zrevrange('sessions:recent', 0, 1, 'WITHSCORES'), ['session:199', '199', 'session:198', '198']);
  await redis.pexpire('session:3', 1);
  while (await redis.exists('session:3')) await new Promise((r) => setTimeout(r, 5));
  let found = 0;
  for await (const keys of redis.scanStream({ match: 'session:*', count: 50 })) found += keys.length;
  assert.ok(found >= 199, `${found} sessions found`);
}

async function carts() {
  // Fifty changes at once, each read, computed by the client, and written only if
  // nobody was quicker.
  const clients = Array.from({ length: 5 }, () => new Redis(options));
  await redis.set('stock', 50);
  await Promise.all(clients.map(async (c) => {
    for (let bought = 0; bought < 10;) {
      await c.watch('stock');
      const left = Number(await c.get('stock'));
      const done = await c.multi().set('stock', left - 1).rpush('sold', left).exec();
      if (done !== null) bought++;
    }
  }));
  assert.equal(await redis.get('stock'), '0');
  const sold = (await redis.lrange('sold', 0, -1)).map(Number).sort((a, b) => a - b);
  assert.deepEqual(sold, Array.from({ length: 50 }, (_, i) => i + 1));
  clients.forEach((c) => c.disconnect());
}

async function binaryAndPrefix() {
  const prefixed = new Redis({ ...options, keyPrefix: 'app:' });
  const bytes = Buffer.from([0, 255, 13, 10, 128]);
  await prefixed.set('bin', bytes);
  assert.deepEqual(await redis.getBuffer('app:bin'), bytes);
  await prefixed.xadd('log', '*', 'bin', bytes);
  assert.equal((await redis.xlen('app:log')), 1);
  prefixed.disconnect();
}

async function blockingPop() {
  const waiting = new Redis(options);
  const popped = waiting.blpop('mail', 30);
  await redis.rpush('mail', 'letter');
  assert.deepEqual(await popped, ['mail', 'letter']);
  waiting.disconnect();
}

try {
  for (const test of [sessions, carts, binaryAndPrefix, blockingPop]) await test();
} catch (err) {
  console.error(err);
  process.exit(1);
}
redis.disconnect();
