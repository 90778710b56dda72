// A worker under full control of an attacker: what it gets of keys.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { Site, read, waitFor, wire } from './evil-site.mjs';

let site, d, M, spki, keyid;
const evil = (user, from) => site.evil(user, from);
const alive = (what) => site.alive(what);

before(async () => {
	site = await Site.start();
	({ d, M, spki, keyid } = site);
});
after(() => site?.stop());

const context = (hash = 32) => Buffer.concat([Buffer.alloc(64, ' '),
	Buffer.from('TLS 1.3, server CertificateVerify\0', 'latin1'), crypto.randomBytes(hash)]);

test('one signature for each connection, of a TLS handshake', async () => {
	const e = await evil();
	const tbs = context();
	const r = await e.ask('keys', M.SIGN, { payload: wire.sign(keyid, 0x0403, tbs) });
	assert.equal(r.type, M.SIGNED);
	const s = read.signed(r.data);
	assert.equal(s.ok, 1);
	assert.ok(crypto.verify('sha256', tbs, spki, s.sig));
	const at = d.log.length;
	await e.offend('keys', M.SIGN, { payload: wire.sign(keyid, 0x0403, context()) });
	await waitFor('its line', () => /ided-keys\S* warning channel\.violation peer="worker" message="SIGN" .*why="message in the wrong state"/.test(d.log.slice(at)));
	// The same after a signature that was refused.
	const f = await evil();
	const none = read.signed((await f.ask('keys', M.SIGN, { payload: wire.sign(Buffer.alloc(32), 0x0403, tbs) })).data);
	assert.deepEqual([none.ok, none.sig.length], [0, 0]);
	await f.offend('keys', M.SIGN, { payload: wire.sign(keyid, 0x0403, tbs) });
});

test('nothing else is signed', async () => {
	const good = context();
	const flip = (at) => { const b = Buffer.from(good); b[at] ^= 1; return b; };
	const client = Buffer.from(good.toString('latin1').replace('server', 'client'), 'latin1');
	const cases = [
		['random bytes', wire.sign(keyid, 0x0403, crypto.randomBytes(130))],
		['nothing', wire.sign(keyid, 0x0403, Buffer.alloc(0))],
		['a digest', wire.sign(keyid, 0x0403, crypto.randomBytes(32))],
		['a certificate', wire.sign(keyid, 0x0403, Buffer.from('30820122308201', 'hex'))],
		['a client\'s signature', wire.sign(keyid, 0x0403, client)],
		['a context that begins otherwise', wire.sign(keyid, 0x0403, flip(0))],
		['a context that ends otherwise', wire.sign(keyid, 0x0403, flip(97))],
		['a hash too short', wire.sign(keyid, 0x0403, good.subarray(0, -1))],
		['a hash too long', wire.sign(keyid, 0x0403, Buffer.concat([good, Buffer.alloc(1)]))],
		['a length beyond the message', wire.sign(keyid, 0x0403, good, 1025)],
		['the largest length', wire.sign(keyid, 0x0403, good, 0xffffffff)],
		['a scheme of another key', wire.sign(keyid, 0x0804, good)],
		['a scheme without a name', wire.sign(keyid, 0xffff, good)],
		['SHA-1', wire.sign(keyid, 0x0203, good)],
		['RSA without padding', wire.sign(keyid, 0x0101, good)],
		['TLS 1.2 with an unknown group', wire.sign(keyid, 0x0403,
			Buffer.concat([crypto.randomBytes(64), Buffer.from([3, 0, 99, 32]), crypto.randomBytes(32)]))],
		['TLS 1.2 with a point of another length', wire.sign(keyid, 0x0403,
			Buffer.concat([crypto.randomBytes(64), Buffer.from([3, 0, 0x1d, 33]), crypto.randomBytes(33)]))],
	];
	for (const [what, payload] of cases) {
		const at = d.log.length;
		const e = await evil();
		await e.offend('keys', M.SIGN, { payload }, what);
		await waitFor(what, () => /ided-keys\S* warning worker\.violation .*message="SIGN" why="[^"]+"/.test(d.log.slice(at)));
	}
	await alive('after it');
});

test('TLS sessions: unknown ids, replays, and places that are taken', async () => {
	const id = crypto.randomBytes(32);
	const get = async (x) => {
		const e = await evil();
		const r = await e.ask('keys', M.SESS_GET, { payload: wire.sess(x) });
		e.close();
		assert.equal(r.type, M.SESS);
		assert.ok(r.data.subarray(40 + read.sess(r.data).len).every((b) => b === 0), 'nothing behind it');
		return read.sess(r.data);
	};
	const put = async (x, der) => {
		const e = await evil();
		assert.equal(await e.send('keys', M.SESS_PUT, { payload: wire.sess(x, der) }), 'ok');
		// An answer to what follows says that it was taken.
		assert.equal((await e.ask('keys', M.SESS_GET, { payload: wire.sess(crypto.randomBytes(32)) })).type, M.SESS);
		e.close();
	};
	assert.equal((await get(id)).len, 0);
	assert.equal((await get(Buffer.alloc(32))).len, 0);
	await put(id, Buffer.from('the first one'));
	await put(id, Buffer.from("an attacker's"));
	assert.equal((await get(id)).der.toString(), 'the first one');
	assert.equal((await get(id)).len, 0, 'given out once');
	await put(id, Buffer.alloc(4096, 1));
	assert.equal((await get(id)).len, 0, 'larger than a session is');
});

test('TLS sessions: more than a handshake needs is a violation', async () => {
	const id = () => crypto.randomBytes(32);
	const cases = [
		['an empty session', [['SESS_PUT', wire.sess(id())]]],
		['a length beyond the message', [['SESS_PUT', wire.sess(id(), Buffer.alloc(1), 4097)]]],
		['the largest length', [['SESS_PUT', wire.sess(id(), Buffer.alloc(1), 0xffffffff)]]],
		['a question with an answer', [['SESS_GET', wire.sess(id(), Buffer.alloc(8))]]],
		['two questions', [['SESS_GET', wire.sess(id())], ['SESS_GET', wire.sess(id())]]],
		['three sessions', Array.from({ length: 3 }, () => ['SESS_PUT', wire.sess(id(), Buffer.alloc(8))])],
		['a question after the signature', [['SIGN', wire.sign(keyid, 0x0403, context())], ['SESS_GET', wire.sess(id())]]],
	];
	for (const [what, messages] of cases) {
		const e = await evil();
		for (const [name, payload] of messages) e.send('keys', M[name], { payload }).catch(() => {});
		await e.killed(what);
	}
	await alive('after it');
});

test('in the end: the same processes, none of them larger, nobody crashed', () => site.unharmed());
