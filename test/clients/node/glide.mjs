// What valkey-glide, a client with a core of its own in Rust, does with every type,
// with batches, scripts, functions, subscriptions and binary values, in RESP2 and
// RESP3, and when the server hangs up.
import assert from 'node:assert/strict';
import { Batch, Decoder, GlideClient, ProtocolVersion, Script, TimeUnit } from '@valkey/valkey-glide';

const addresses = [{ host: '127.0.0.1', port: Number(process.env.PORT) }];

async function until(what, check) {
  for (let i = 0; i < 2000; i++) {
    if (await check()) return;
    await new Promise((r) => setTimeout(r, 10));
  }
  throw new Error(`still not true: ${what}`);
}

async function everyType(c) {
  assert.equal(await c.set('s', '1', { conditionalSet: 'onlyIfDoesNotExist', expiry: { type: TimeUnit.Seconds, count: 100 } }), 'OK');
  assert.equal(await c.getex('s', { expiry: { type: TimeUnit.Seconds, duration: 50 } }), '1');
  assert.ok((await c.ttl('s')) <= 50);
  assert.equal(await c.incrByFloat('s', 0.5), 1.5);
  await c.rpush('l', ['1', '2', '3']);
  assert.deepEqual(await c.lmpop(['none', 'l'], 'RIGHT', { count: 2 }), { key: 'l', elements: ['3', '2'] });
  assert.deepEqual(await c.blpop(['l'], 1), ['l', '1']);
  assert.equal(await c.blpop(['l'], 0.05), null);
  await c.hset('h', { a: '1', b: '2' });
  assert.deepEqual(await c.hgetall('h'), [{ field: 'a', value: '1' }, { field: 'b', value: '2' }]);
  await c.zadd('z', { a: 1, b: 2.5 });
  assert.deepEqual(await c.zrangeWithScores('z', { start: 0, end: -1 }), [{ element: 'a', score: 1 }, { element: 'b', score: 2.5 }]);
  assert.deepEqual(await c.bzpopmax(['z'], 1), ['z', 'b', 2.5]);
  await c.geoadd('g', new Map([['Palermo', { longitude: 13.361389, latitude: 38.115556 }], ['Catania', { longitude: 15.087269, latitude: 37.502669 }]]));
  assert.ok(Math.abs((await c.geodist('g', 'Palermo', 'Catania')) - 166274.1516) < 0.001);
  await c.xadd('x', [['f', 'v']], { id: '1-1' });
  await c.xgroupCreate('x', 'g', '0');
  assert.deepEqual(await c.xreadgroup('g', 'c', { x: '>' }), [{ key: 'x', value: { '1-1': [['f', 'v']] } }]);
  assert.deepEqual(await c.xpending('x', 'g'), [1, '1-1', '1-1', [['c', '1']]]);
  await c.set('bin', Buffer.from([0, 255, 13, 10]));
  assert.deepEqual([...(await c.get('bin', { decoder: Decoder.Bytes }))], [0, 255, 13, 10]);
  await assert.rejects(c.lpush('s', ['x']), /WRONGTYPE/);
  const found = new Set();
  for (let cursor = '0', keys; ;) {
    [cursor, keys] = await c.scan(cursor, { count: 2 });
    for (const k of keys) found.add(k);
    if (cursor === '0') break;
  }
  assert.deepEqual([...found].sort(), ['bin', 'g', 'h', 's', 'x', 'z']);
}

async function batchesAndScripts(c) {
  assert.deepEqual(await c.exec(new Batch(true).set('t', '1').incr('t').hmget('h', ['b', 'none']).get('none'), true), ['OK', 2, ['2', null], null]);
  const [set, refused, got] = await c.exec(new Batch(false).set('t', '1').lpush('t', ['x']).get('t'), false);
  assert.deepEqual([set, got], ['OK', '1']);
  assert.ok(refused instanceof Error);
  const other = await GlideClient.createClient({ addresses });
  await c.watch(['t']);
  await other.set('t', '9');
  assert.equal(await c.exec(new Batch(true).set('t', '8'), true), null);
  other.close();
  const script = new Script("return {KEYS[1], ARGV[1], {ok='fine'}, 1.5, false}");
  assert.deepEqual(await c.invokeScript(script, { keys: ['k'], args: ['v'] }), ['k', 'v', 'fine', 1, null]);
  await c.scriptFlush(); // it notices, and loads it again
  assert.deepEqual(await c.invokeScript(script, { keys: ['k'], args: ['w'] }), ['k', 'w', 'fine', 1, null]);
  const lib = "#!lua name=lib\nredis.register_function{function_name='f', callback=function(k, a) return a[1] end, flags={'no-writes'}}";
  assert.equal(await c.functionLoad(lib, { replace: true }), 'lib');
  assert.equal(await c.fcallReadonly('f', [], ['x']), 'x');
}

async function subscribers(protocol, c) {
  const heard = [];
  const subscriber = await GlideClient.createClient({
    addresses, protocol,
    pubsubSubscriptions: { channelsAndPatterns: { 0: new Set(['ch']), 1: new Set(['p*']) }, callback: (m) => heard.push(`${m.channel} ${m.message}`) },
  });
  await until('both are subscribed', async () => (await c.pubsubNumPat()) === 1 && (await c.pubsubChannels()).length === 1);
  assert.equal(await c.publish('one', 'ch'), 1);
  assert.equal(await c.publish('two', 'px'), 1);
  await until('the messages are heard', () => heard.length === 2);
  assert.deepEqual(heard, ['ch one', 'px two']);
  subscriber.close();
}

async function manyAtOnceAndAfterAHangUp(c) {
  await Promise.all(Array.from({ length: 900 }, () => c.incr('many')));
  assert.equal(await c.get('many'), '900');
  const big = 'x'.repeat(3 << 20);
  await c.set('big', big);
  assert.ok((await c.get('big')) === big);
  await c.customCommand(['CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'no']).catch(() => {});
  await until('it is connected again', () => c.ping().then(() => true, () => false));
  assert.equal(await c.get('many'), '900');
}

for (const protocol of [ProtocolVersion.RESP2, ProtocolVersion.RESP3]) {
  const c = await GlideClient.createClient({ addresses, protocol, clientName: 'glide', requestTimeout: 20000 });
  await c.flushall();
  assert.equal(await c.clientGetName(), 'glide');
  await everyType(c);
  await batchesAndScripts(c);
  if (protocol === ProtocolVersion.RESP3) await subscribers(protocol, c);
  await manyAtOnceAndAfterAHangUp(c);
  c.close();
}
process.exit(0);
