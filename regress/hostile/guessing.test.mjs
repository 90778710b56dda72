// Two hundred wrong passwords at once from fifty addresses, over and over: no more is
// hashed at a time than is configured, memory is what that takes; who is logged in from
// where he comes gets in past all of them at once, and who comes from a new address soon.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { Daemon, load, password, sanitized, sleep } from '../system/daemon.mjs';

const LONG = Boolean(process.env.IDED_LONG);
const HELPERS = 2, MEMORY = 64, PASSES = LONG ? 3 : 1;
const GUESSES = load(200), GOOD = LONG ? 10 : 2;
let all = [], stop = false;

const d = new Daemon({ prefork: 'spare 16\nmax 500\nper-source 100\nstartups 400:30:500' });
before(async () => {
	await d.prepare();
	// As much memory as by default: other tests take less.
	fs.writeFileSync(d.conf, fs.readFileSync(d.conf, 'utf8').replace(/argon2 .*/, `argon2 memory ${MEMORY}M passes ${PASSES} lanes 1 helpers ${HELPERS}`));
	await d.start();
	for (const n of ['ann', 'bob', 'eve']) d.addUser(n);
});
after(async () => {
	stop = true;
	await d.stop();
	await Promise.all(all);
});

const rss = (title) => d.role(title).map((p) => {
	try { return Number(/^VmHWM:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${p.pid}/status`, 'latin1'))[1]) / 1024; } catch { return 0; }
});

test('two hundred guesses at once: what they cost, and who gets in meanwhile', { timeout: 300000 }, async () => {
	let n = 0;
	const answers = {};
	const guess = async (i) => {
		while (!stop) {
			const localAddress = `127.20.0.${1 + i % 50}`;
			const r = await d.post('/login', { username: ['ann', 'eve', `nobody${i}`][i % 3], password: 'Wrong-Horse-7' }, { localAddress })
				.catch(() => ({ status: 'refused' }));
			answers[r.status] = (answers[r.status] ?? 0) + 1;
			n++;
			// Master refuses a source that has failed too often.
			if (r.status === 'refused') await sleep(200);
		}
	};
	await d.login('ann', password, { localAddress: '127.9.9.1' });
	all = Array.from({ length: GUESSES }, (_, i) => guess(i));
	const times = [], strange = [];
	for (let i = 0; i < GOOD; i++) {
		let at = performance.now();
		await d.login('ann', password, { localAddress: '127.9.9.1' });
		times.push(performance.now() - at);
		at = performance.now();
		// While all of them are new as well, it may be told to come again.
		for (;;) if (await d.login('bob', password, { localAddress: `127.9.8.${1 + i}` }).catch((e) => { if (!/: 503/.test(e.message)) throw e; })) break;
		strange.push(performance.now() - at);
	}
	assert.ok(d.role('hash').length <= HELPERS);
	const [auth] = rss('auth');
	const hash = rss('hash');
	console.log(`${n} guesses answered: ${JSON.stringify(answers)}; logins within ${times.map((t) => t.toFixed(0)).join(', ')} ms, from new addresses ${strange.map((t) => t.toFixed(0)).join(', ')} ms; ` +
		`auth ${auth.toFixed(0)} MB, hash ${hash.map((m) => m.toFixed(0)).join(' and ')} MB`);
	if (!sanitized) assert.ok(auth + hash.reduce((a, b) => a + b, 0) <= MEMORY * HELPERS + 32, `${auth} and ${hash} MB`);
	assert.equal(answers[302] ?? 0, 0);
	assert.equal(answers[303] ?? 0, 0);
	assert.ok((answers[401] ?? 0) > 0);
});
