// Two hundred wrong passwords at once from fifty addresses, over and over: no more is
// hashed at a time than is configured, memory is what that takes; who is logged in from
// where he comes gets in past all of them at once, and who comes from a new address soon.
// And all of them in one burst, when no address has failed yet.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { goodLogins } from './good-logins.mjs';
import { Daemon, load, password, sanitized, sleep, waitFor } from '../system/daemon.mjs';

const LONG = Boolean(process.env.IDED_LONG);
const HELPERS = 2, MEMORY = 64, PASSES = LONG ? 3 : 1;
const GUESSES = load(200), GOOD = LONG ? 10 : 2;
let all = [], stop = false, good;

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
	await good?.end();
	await d.stop();
	await Promise.all(all);
});

const rss = (title) => d.role(title).map((p) => {
	try { return Number(/^VmHWM:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${p.pid}/status`, 'latin1'))[1]) / 1024; } catch { return 0; }
});

// Connected before its time, so that requests come in the order in which they are sent.
async function attempt(username, pw, localAddress) {
	const s = await d.raw({ localAddress });
	const body = new URLSearchParams({ username, password: pw }).toString();
	return () => new Promise((resolve) => {
		let out = '';
		s.on('data', (b) => { out += b.toString('latin1'); });
		s.on('error', () => {});
		s.on('close', () => resolve({ status: Number(/^HTTP\/1\.1 (\d+)/.exec(out)?.[1]), retry: Number(/^retry-after: *(\d+)/im.exec(out)?.[1]) }));
		s.write(`POST /login HTTP/1.1\r\nHost: localhost:${d.port}\r\nOrigin: ${d.origin}\r\n` +
			`Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
	});
}

test('a burst of guesses: who comes after all of them is not behind them', { timeout: 120000 }, async () => {
	const waits = 64, home = '127.9.7.1';
	await d.login('ann', password, { localAddress: home });
	// A fifth of them from the address where ann is logged in, at others' accounts.
	const guesses = await Promise.all(Array.from({ length: GUESSES }, (_, i) => (i % 5 ?
		attempt(['ann', 'eve', `nobody${i}`][i % 3], 'Wrong-Horse-7', `127.21.0.${1 + i % 50}`) :
		attempt(['eve', `nobody${i}`][i % 2], 'Wrong-Horse-7', home))));
	const good = await Promise.all([attempt('ann', password, home), attempt('bob', password, '127.9.6.1')]);
	let hashed = 0, busy = 0;
	const done = Promise.all(guesses.map(async (go) => {
		const r = await go();
		if (r.status === 401) hashed++;
		if (r.status === 503) { busy++; assert.ok(r.retry >= 1, 'who is to come again hears when'); }
		return r.status;
	}));
	// What is not answered waits, and nothing is still on its way.
	await waitFor('all of them', () => hashed + busy >= GUESSES - waits - HELPERS);
	const before = hashed;
	const ahead = await Promise.all(good.map(async (go) => {
		const r = await go();
		assert.ok(r.status === 302 || r.status === 303, `${r.status}`);
		return hashed - before;
	}));
	const statuses = await done;
	console.log(`${hashed} of ${GUESSES} guesses were hashed, ${busy} told to come again; ${ahead.join(' and ')} of them while those waited who know their password`);
	assert.deepEqual(statuses.filter((s) => s !== 401 && s !== 503), []);
	assert.ok(hashed > 20, `${hashed} waited`);
	// Those that were being hashed when they came, and those whose answer was held back.
	for (const n of ahead) assert.ok(n <= 10, `${n} guesses went before`);
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
	good = goodLogins(d);
	const times = [], strange = [];
	// While all of them are new as well, one may be told to come again.
	const come = async (username, localAddress, list) => {
		for (let ms = 0; ;) {
			const r = await good.login(username, password, localAddress);
			ms += r.ms;
			if (r.status === 503) continue;
			assert.equal(r.status, 302);
			return list.push(ms);
		}
	};
	for (let i = 0; i < GOOD; i++) {
		await come('ann', '127.9.9.1', times);
		await come('bob', `127.9.8.${1 + i}`, strange);
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
