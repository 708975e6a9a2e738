// A job queue with BullMQ: jobs of all kinds are added, worked on by several
// workers, fail and are tried again, wait for a delay, for their parent or for a
// rate limit, and a job whose worker died is given to another one.
import assert from 'node:assert/strict';
import { Queue, Worker, QueueEvents, FlowProducer, Job } from 'bullmq';

const connection = { host: '127.0.0.1', port: Number(process.env.PORT), maxRetriesPerRequest: null };
const open = [];
const keep = (thing) => { open.push(thing); return thing; };
const worker = (name, work, options) => keep(new Worker(name, work, { connection, ...options }));
const queue = (name) => keep(new Queue(name, { connection }));
const events = (name) => keep(new QueueEvents(name, { connection }));

async function everyJobIsDoneOnce() {
  const q = queue('plain');
  const seen = new Map();
  const work = async (job) => {
    seen.set(job.data.n, (seen.get(job.data.n) ?? 0) + 1);
    await job.updateProgress(50);
    await job.log('half done');
    return job.data.n * 2;
  };
  const ev = events('plain');
  await ev.waitUntilReady();
  const workers = [1, 2, 3].map(() => worker('plain', work, { concurrency: 10 }));
  const jobs = await q.addBulk(Array.from({ length: 300 }, (_, n) => ({ name: 'double', data: { n } })));
  const results = await Promise.all(jobs.map((j) => j.waitUntilFinished(ev, 30000)));
  assert.deepEqual(results, Array.from({ length: 300 }, (_, n) => n * 2));
  assert.ok([...seen.values()].every((times) => times === 1), 'a job ran twice');
  const counts = await q.getJobCounts();
  assert.equal(counts.completed, 300);
  assert.equal(counts.failed + counts.waiting + counts.active, 0);
  const one = await Job.fromId(q, jobs[7].id);
  assert.equal(one.progress, 50);
  assert.deepEqual((await q.getJobLogs(one.id)).logs, ['half done']);
  await Promise.all(workers.map((w) => w.close()));
}

async function aFailingJobIsTriedAgain() {
  const q = queue('retry');
  const ev = events('retry');
  await ev.waitUntilReady();
  let tries = 0;
  worker('retry', async () => { if (++tries < 3) throw new Error('not yet'); return 'at last'; });
  const job = await q.add('flaky', {}, { attempts: 5, backoff: { type: 'fixed', delay: 20 } });
  assert.equal(await job.waitUntilFinished(ev, 30000), 'at last');
  assert.equal(tries, 3);
  const hopeless = await q.add('hopeless', {}, { attempts: 1 });
  tries = -10;
  await assert.rejects(hopeless.waitUntilFinished(ev, 30000), /not yet/);
  assert.equal((await q.getFailed()).length, 1);
}

async function orderFollowsPriorityAndDelay() {
  const q = queue('order');
  const ev = events('order');
  await ev.waitUntilReady();
  await q.pause();
  const jobs = [];
  for (const [name, options] of [['low', { priority: 10 }], ['high', { priority: 1 }], ['late', { delay: 300 }], ['none', {}], ['last', { lifo: true }]]) {
    jobs.push(await q.add(name, {}, options));
  }
  assert.equal(await q.getDelayedCount(), 1);
  assert.equal((await q.getPrioritized()).length, 2);
  const order = [];
  worker('order', async (job) => { order.push(job.name); });
  await q.resume();
  await Promise.all(jobs.map((j) => j.waitUntilFinished(ev, 30000)));
  assert.deepEqual(order, ['last', 'none', 'high', 'low', 'late']);
}

async function aParentWaitsForItsChildren() {
  const flow = keep(new FlowProducer({ connection }));
  const ev = events('parents');
  await ev.waitUntilReady();
  worker('children', async (job) => job.data.value);
  worker('parents', async (job) => Object.values(await job.getChildrenValues()).reduce((a, b) => a + b, 0));
  const tree = await flow.add({
    name: 'sum', queueName: 'parents',
    children: [1, 2, 3, 4].map((value) => ({ name: 'part', queueName: 'children', data: { value } })),
  });
  assert.equal(await tree.job.waitUntilFinished(ev, 30000), 10);
}

async function theRateIsLimited() {
  const q = queue('rate');
  const ev = events('rate');
  await ev.waitUntilReady();
  const jobs = await q.addBulk(Array.from({ length: 6 }, (_, n) => ({ name: 'r', data: { n } })));
  const started = [];
  worker('rate', async () => { started.push(Date.now()); }, { limiter: { max: 2, duration: 200 } });
  await Promise.all(jobs.map((j) => j.waitUntilFinished(ev, 30000)));
  assert.ok(started[5] - started[0] >= 350, `six jobs at two per 200 ms took ${started[5] - started[0]} ms`);
}

async function repeatedJobsAndDeduplication() {
  const q = queue('repeat');
  let runs = 0;
  worker('repeat', async (job) => { if (job.name === 'tick') runs++; });
  await q.upsertJobScheduler('ticker', { every: 50 }, { name: 'tick' });
  for (let i = 0; runs < 3; i++) {
    assert.ok(i < 600, 'the scheduler has stopped');
    await new Promise((r) => setTimeout(r, 50));
  }
  await q.removeJobScheduler('ticker');
  const a = await q.add('x', {}, { jobId: 'same' });
  const b = await q.add('x', {}, { jobId: 'same' });
  assert.equal(a.id, b.id);
}

async function anAbandonedJobIsTakenOver() {
  const q = queue('stalled');
  const ev = events('stalled');
  await ev.waitUntilReady();
  const job = await q.add('big', {});
  const dead = new Worker('stalled', null, { connection, lockDuration: 300, autorun: false });
  dead.on('error', () => {});
  const taken = await dead.getNextJob('token');
  assert.equal(taken.id, job.id);
  await dead.close(true); // does not finish what it has taken
  worker('stalled', async () => 'taken over', { stalledInterval: 300, lockDuration: 1000 });
  assert.equal(await job.waitUntilFinished(ev, 30000), 'taken over');
}

async function queuesAreCleanedUp() {
  const q = queue('plain');
  assert.ok((await q.clean(0, 1000, 'completed')).length > 0);
  await q.obliterate({ force: true });
  assert.deepEqual(await q.getJobCounts('completed', 'waiting', 'failed'), { completed: 0, waiting: 0, failed: 0 });
}

for (const test of [everyJobIsDoneOnce, aFailingJobIsTriedAgain, orderFollowsPriorityAndDelay, aParentWaitsForItsChildren,
  theRateIsLimited, repeatedJobsAndDeduplication, anAbandonedJobIsTakenOver, queuesAreCleanedUp]) {
  try {
    await test();
  } catch (err) {
    console.error(`${test.name}:`, err);
    process.exit(1);
  }
}
await Promise.all(open.reverse().map((thing) => thing.close()));
process.exit(0);
