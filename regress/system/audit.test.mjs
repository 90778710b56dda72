// The audit trail as a whole: what happens is in it, before anybody hears of it and
// however its text looks; what is changed, cut, left out or put elsewhere is found;
// who may not write there does nothing.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import https from 'node:https';
import { startDaemon, password, waitFor, obj } from './daemon.mjs';

let d;
let file;
before(async () => {
	d = await startDaemon({ users: [] });
	file = `${d.dir}/audit.log`;
	await d.stop({ keep: true });
	d.write(`audit { file "${file}" rotate daily keep 3
	store keep 30d }`);
	await d.start();
	for (const u of ['ann', 'bob']) d.addUser(u);
	d.addUser('root1', 'admin');
	d.addUser('opal', 'operator');
});
after(() => d?.stop());

// Failures add up to a penalty of the address that they come from.
let addresses = 0;
const elsewhere = () => `127.9.${1 + Math.floor(++addresses / 250)}.${1 + (addresses % 250)}`;
const lines = (f = file) => fs.readFileSync(f, 'utf8').split('\n').filter(Boolean);
const records = (f = file) => lines(f).map((l) => JSON.parse(l));
const ask = (...args) => d.ok(['-j', 'audit', 'query', '-n', '1000', ...args]).split('\n').filter(Boolean)
	.map((l) => JSON.parse(l)).filter((r) => r.seq);
const api = (cookie, query = '') => d.request('GET', `/api/admin/audit${query}`, { headers: { cookie, accept: 'application/json' } });

test('each event is there when its answer is, with who, whom, whence and what came of it', async () => {
	const cookie = await d.login('ann', password, { headers: { 'user-agent': 'Test/1' } });
	let r = ask('-e', 'login.ok', '-u', 'ann')[0];
	assert.equal(r.actor, 'ann');
	assert.equal(r.user, 'ann');
	assert.equal(r.source, '127.0.0.1');
	assert.equal(r.agent, 'Test/1');
	assert.equal(r.outcome, 'ok');
	assert.match(r.session, /^[0-9a-f]{16}$/);
	assert.match(r.rid, /^[0-9a-f]{16}$/);
	assert.equal((await d.post('/login', { username: 'ann', password: 'wrong' }, { localAddress: '127.0.5.5' })).status, 401);
	r = ask('-e', 'login.failed', '-a', '127.0.5.5')[0];
	assert.equal(r.outcome, 'denied');
	assert.equal(r.user, 'ann');
	await d.post('/logout', {}, { headers: { cookie } });
	assert.equal(ask('-e', 'logout').length, 1);
	d.ok(['user', 'passwd', 'bob'], 'Another-Horse-8\n');
	d.ok(['user', 'disable', 'bob']);
	d.ok(['user', 'enable', 'bob']);
	d.ok(['user', 'passwd', 'bob'], `${password}\n`);
	const events = ask('-u', 'bob').map((x) => x.event);
	for (const e of ['user.added', 'user.password', 'user.disabled', 'user.enabled'])
		assert.ok(events.includes(e), e);
	d.ok(['reload']);
	assert.ok(ask('-e', 'reload.done').length > 0);
	assert.deepEqual(records().map((x) => x.seq), records().map((_, i) => i + 1));
});

test('whatever comes by HTTP is recorded with its address, browser, request and session, and with whom it is about', async () => {
	const since = ask()[0].seq;
	const localAddress = '127.0.5.9';
	const rids = new Set();
	const call = async (cookie, method, path, body, status = 200) => {
		const r = await d.request(method, path, { localAddress, body: body && JSON.stringify(body),
			headers: { accept: 'application/json', origin: d.origin, 'user-agent': 'Probe/1.0', ...(cookie && { cookie }), ...(body && { 'content-type': 'application/json' }) } });
		assert.equal(r.status, status, `${method} ${path}: ${r.status} ${r.body}`);
		rids.add(r.headers['x-request-id']);
		return r.body && r.json.data;
	};
	const login = async (username, pw = password) => {
		const r = await d.request('POST', '/login', { localAddress, body: new URLSearchParams({ username, password: pw }).toString(),
			headers: { origin: d.origin, 'user-agent': 'Probe/1.0', 'content-type': 'application/x-www-form-urlencoded' } });
		rids.add(r.headers['x-request-id']);
		return r.headers['set-cookie']?.[0].split(';')[0];
	};
	const root = await login('root1');
	await call(root, 'POST', '/api/users', { username: 'kim', password, email: 'kim@example.org' }, 201);
	await call(root, 'PATCH', '/api/users/kim', { displayName: 'Kim' });
	await call(root, 'POST', '/api/admin/users/kim/limits', { processes: 64 });
	await call(root, 'POST', '/api/admin/users/kim/disable', {});
	await call(root, 'POST', '/api/admin/users/kim/enable', {});
	await login('kim', 'Wrong-Horse-7');
	let kim = await login('kim');
	await call(kim, 'GET', '/api/users', undefined, 403);
	const token = await call(kim, 'POST', '/api/users/me/tokens', { name: 'ci', scopes: ['account.own'] }, 201);
	await call(kim, 'DELETE', `/api/users/me/tokens/${token.id}`);
	await call(kim, 'POST', '/api/users/me/password', { currentPassword: 'Wrong-Horse-7', newPassword: 'Another-Horse-9' }, 400);
	await call(kim, 'POST', '/api/users/me/password', { currentPassword: password, newPassword: 'Another-Horse-9' });
	await call(kim, 'POST', '/api/auth/logout', {});
	const pair = await call('', 'POST', '/api/auth/login', { username: 'kim', password: 'Another-Horse-9' });
	await call('', 'POST', '/api/auth/refresh', { refreshToken: pair.refreshToken });
	await call('', 'POST', '/api/auth/refresh', { refreshToken: pair.refreshToken }, 401);
	kim = await login('kim', 'Another-Horse-9');
	await call(root, 'DELETE', '/api/admin/sessions?user=kim');
	await call(root, 'GET', '/api/admin/audit?limit=1');
	await call(root, 'POST', '/api/admin/users/kim/reset-password', {});
	await call(root, 'DELETE', '/api/users/kim?workspace=remove');
	const all = ask().filter((r) => r.seq > since && !/^(audit\.checkpoint|sandbox\..*)$/.test(r.event) && r.source !== 'unix');
	for (const r of all) {
		assert.equal(r.source, localAddress, JSON.stringify(r));
		assert.equal(r.agent, 'Probe/1.0', JSON.stringify(r));
		assert.ok(rids.has(r.rid), JSON.stringify(r));
		assert.match(r.outcome, /^(ok|denied)$/);
		if (!/^login\.failed$/.test(r.event)) assert.ok(r.actor, JSON.stringify(r));
		if (!/^audit\.read$/.test(r.event)) assert.ok(r.user, JSON.stringify(r));
		if (!/^login\.failed$/.test(r.event)) assert.match(r.session, /^([0-9a-f]{16}|all|others)$/, JSON.stringify(r));
	}
	const events = new Set(all.map((r) => r.event));
	for (const e of ['login.ok', 'login.failed', 'logout', 'session.revoked', 'token.refreshed', 'token.reused', 'token.added', 'token.revoked', 'user.added',
		'user.changed', 'user.limits', 'user.disabled', 'user.enabled', 'user.password', 'user.password.wrong', 'user.reset', 'user.deleted', 'access.denied', 'audit.read'])
		assert.ok(events.has(e), `${e} of ${[...events].join(' ')}`);
	// By the name of whom it is about, whoever did it.
	assert.ok(ask('-u', 'kim', '-e', 'session.revoked').some((r) => r.actor === 'root1'));
});

test('what a reload changes is in the trail, and why one is refused', () => {
	const good = fs.readFileSync(d.conf, 'utf8');
	const since = ask()[0].seq;
	const fresh = () => ask().filter((r) => r.seq > since && /^reload/.test(r.event)).reverse();
	try {
		d.write(`audit { file "${file}" rotate daily keep 3
	store keep 31d }
location "/kept/" { proxy to unix "/run/kept"
	header "X-Key: A-Secret-Header-9" }`);
		d.ok(['reload']);
		const [asked, ...rest] = fresh();
		const done = rest.pop();
		assert.equal(asked.event, 'reload');
		assert.equal(done.event, 'reload.done');
		assert.equal(done.actor, asked.actor);
		assert.equal(done.detail.changes, rest.length);
		assert.deepEqual(rest.map((r) => [r.event, r.detail.keyword, r.detail.old, r.detail.new]), [
			['reload.changed', 'audit store keep', '30d', '31d'],
			['reload.changed', 'location "/kept/"', '', 'there'],
		]);
		assert.ok(!JSON.stringify(rest).includes('A-Secret-Header-9'));
		fs.appendFileSync(d.conf, '\nnonsense\nprefork { spare zero }\n');
		assert.equal(d.ctl(['reload']).status, 1);
		const refused = fresh().at(-1);
		assert.equal(refused.event, 'reload.refused');
		assert.equal(refused.outcome, 'failed');
		assert.match(refused.actor, /^uid 0 pid \d+$/);
		assert.equal(refused.detail.errors, 2);
		assert.match(refused.detail.why, /nonsense.*; .*prefork/);
	} finally {
		fs.writeFileSync(d.conf, good);
		d.ok(['reload']);
	}
	assert.deepEqual(fresh().slice(-3, -1).map((r) => [r.detail.old, r.detail.new]), [['31d', '30d'], ['there', '']]);
});

test('a SIGHUP is recorded as what it is', async () => {
	const since = ask()[0].seq;
	process.kill(d.pid, 'SIGHUP');
	const r = await waitFor('its record', () => ask('-e', 'reload.done').find((x) => x.seq > since));
	assert.equal(r.actor, 'signal');
	assert.equal(r.detail.changes, 0);
});

test('a line stays a line, and says nothing that is secret', async () => {
	const evil = 'x\r\n{"v":1,"seq":1}\u001b[31m\u202e"\\';
	const cookie = await d.login('ann', password, { headers: { 'user-agent': 'UA=\'"\\' } });
	await d.post('/login', { username: evil, password: 'A-Secret-Password-9' }, { localAddress: elsewhere() });
	for (const l of lines()) assert.doesNotMatch(l, /[\u0000-\u001f\u007f\u202e]/);
	assert.equal(ask('-e', 'login.failed', '-g', '\u001b[31m').length, 1);
	const all = fs.readFileSync(file, 'latin1') + fs.readdirSync(`${d.data}/store/audit`)
		.map((f) => fs.readFileSync(`${d.data}/store/audit/${f}`, 'latin1')).join('');
	const token = cookie.split('=')[1];
	for (const secret of [password, 'A-Secret-Password-9', 'Another-Horse-8', token,
		crypto.createHash('sha256').update(Buffer.from(token, 'base64url')).digest('hex')])
		assert.ok(!all.includes(secret), secret);
});

test('every line can be checked with nothing but SHA-256', () => {
	let prev = '0'.repeat(64);
	for (const l of lines()) {
		const at = l.lastIndexOf(',"hash":"');
		const r = JSON.parse(l);
		assert.equal(crypto.createHash('sha256').update(l.slice(0, at)).digest('hex'), r.hash);
		assert.equal(r.prev, prev);
		prev = r.hash;
	}
});

test('pages go on by cursors, which say when they lead nowhere', { timeout: 60000 }, async () => {
	const cookie = await d.login('root1');
	const all = (await api(cookie, '?limit=500')).json.data.items.map((r) => r.seq);
	assert.deepEqual(all, all.map((_, i) => all[0] - i));
	const seen = [];
	let cursor = '';
	do {
		const { data } = (await api(cookie, `?limit=3${cursor ? `&cursor=${cursor}` : ''}`)).json;
		seen.push(...data.items.map((r) => r.seq));
		cursor = data.next;
	} while (cursor);
	assert.deepEqual(seen.slice(1), all, 'the first of them is that all were read');
	cursor = (await api(cookie, '?limit=3')).json.data.next;
	for (const [query, text] of [
		[`?limit=3&user=ann&cursor=${cursor}`, /^cursor: it belongs to another query/],
		['?cursor=00', /^cursor: this is none/],
		[`?cursor=${cursor.slice(0, 48)}${'0'.repeat(16)}${cursor.slice(64)}`, /^cursor: it is stale/],
		['?limit=0', /^limit: /], ['?limit=501', /^limit: /], ['?limit=-1', /^limit: /],
		['?from=yesterday', /^from: /], ['?from=2026-02-30', /^from: /], ['?to=99999999999999999999', /^to: /],
		['?from=2026-01-02&to=2026-01-01', /^from, to: /],
		['?order=random', /^order: /], ['?format=xml', /^format: /], ['?usr=ann', /^usr: there is no such/],
		['?user=a&user=b', /^user: /], [`?user=${'x'.repeat(300)}`, /^user: /], ['?q=%00', /^q: /], ['?q=%0a', /^q: /],
		['?event=%ff', /^event: /],
	]) {
		const r = await api(cookie, query);
		assert.equal(r.status, 400, query);
		assert.match(r.json.error.message, text, query);
	}
});

test('who may not read it does not', async () => {
	assert.equal((await api('')).status, 401);
	for (const user of ['ann', 'opal'])
		assert.equal((await api(await d.login(user))).status, 403, user);
	assert.ok(ask('-e', 'access.denied', '-u', 'ann').length > 0);
});

test('filters find what a look at each record finds', async () => {
	const all = records();
	const same = (got, fn, what) => assert.deepEqual(got.map((r) => r.seq).sort((a, b) => a - b),
		all.filter(fn).map((r) => r.seq), what);
	// Questions are records as well: no later than those that were read above.
	const upto = (rows) => rows.filter((r) => r.seq <= all.at(-1).seq);
	same(upto(ask('-u', 'ann')), (r) => r.user === 'ann' || r.actor === 'ann', 'user');
	same(upto(ask('-e', 'user.')), (r) => r.event.startsWith('user.'), 'events that begin so');
	same(upto(ask('-e', 'logout')), (r) => r.event === 'logout', 'event');
	same(upto(ask('-a', '127.0.5.5')), (r) => r.source === '127.0.5.5', 'address');
	same(upto(ask('-o', 'denied')), (r) => r.outcome === 'denied', 'outcome');
	same(upto(ask('-g', 'TEST/1')), (r) => r.agent === 'Test/1', 'text, in any case');
	same(upto(ask('-s', '2000-01-01', '-b', '2001-01-01')), () => false, 'time');
	same(upto(ask('-s', '1h')), () => true, 'time');
	// A second in the midst of it, at which nothing happened: what came before, what came
	// after, what came in it.
	let at = Math.ceil(Date.parse(all[Math.floor(all.length / 2)].time) / 1000) * 1000;
	while (all.some((r) => [at, at - 1000].includes(Date.parse(r.time)))) at -= 1000;
	const second = (n) => new Date(at + n * 1000).toISOString().replace('.000Z', 'Z');
	const time = (r) => Date.parse(r.time) - at;
	assert.ok(all.some((r) => time(r) < 0) && all.some((r) => time(r) > 0));
	same(upto(ask('-s', second(0))), (r) => time(r) >= 0, 'since');
	same(upto(ask('-b', second(0))), (r) => time(r) < 0, 'before');
	const { items } = (await api(await d.login('root1'), `?limit=500&from=${second(-1)}&to=${second(0)}`)).json.data;
	same(items, (r) => time(r) >= -1000 && time(r) < 0, 'from and to');
	same(upto(ask('-u', 'ann', '-o', 'denied', '-e', 'login.failed')), (r) => r.user === 'ann' && r.event === 'login.failed', 'all of them');
});

test('CSV holds data, whatever it begins with', async () => {
	for (const evil of ['=1+1', '+1', '-1', '@SUM(A1)', 'a"b,c'])
		await d.post('/login', { username: evil, password: 'x' }, { localAddress: elsewhere() });
	const out = d.ok(['audit', 'export', '-F', 'csv', '-e', 'login.failed']);
	for (const cell of ['"\'=1+1"', '"\'+1"', '"\'-1"', '"\'@sum(a1)"', '"a""b,c"']) assert.ok(out.includes(cell), cell);
	assert.ok(out.startsWith('seq,time,event,'));
	const r = await api(await d.login('root1'), '?format=csv&event=login.failed&limit=500');
	assert.match(r.headers['content-type'], /^text\/csv/);
	assert.match(r.headers['content-disposition'], /attachment/);
	assert.ok(r.body.includes('"\'=1+1"'));
	const json = d.ok(['audit', 'export', '-e', 'login.failed']).split('\n').filter(Boolean).map((l) => JSON.parse(l));
	assert.ok(json.some((x) => x.user === '=1+1'));
});

test('tail -f shows what comes', async () => {
	const t = spawn(`${obj}/idectl`, ['-j', '-s', `${d.runtime}/ided.sock`, 'audit', 'tail', '-f', '-n', '2']);
	let out = '';
	t.stdout.on('data', (s) => { out += s; });
	await waitFor('the last ones', () => out.split('\n').length > 2);
	d.ok(['user', 'disable', 'bob']);
	await waitFor('what comes', () => /user\.disabled/.test(out));
	d.ok(['user', 'enable', 'bob']);
	await waitFor('and the next', () => /user\.enabled/.test(out));
	t.kill();
	const seqs = out.split('\n').filter(Boolean).map((l) => JSON.parse(l).seq);
	assert.deepEqual(seqs, seqs.map((_, i) => seqs[0] + i));
});

// Copies, so that the trail itself stays whole.
function copy() {
	const dir = fs.mkdtempSync(`${d.dir}/copy-`);
	fs.mkdirSync(`${dir}/store`);
	fs.cpSync(`${d.data}/store/audit`, `${dir}/store/audit`, { recursive: true });
	fs.cpSync(`${d.data}/keys`, `${dir}/keys`, { recursive: true });
	fs.copyFileSync(file, `${dir}/audit.log`);
	return dir;
}
const verify = (...args) => {
	const r = spawnSync(`${obj}/idectl`, ['audit', 'verify', ...args], { encoding: 'utf8' });
	return { status: r.status, out: r.stdout + r.stderr };
};
const signed = (seq) => {
	if (seq === undefined || !fs.existsSync(`${d.data}/keys/audit.last`)) return false;
	const b = fs.readFileSync(`${d.data}/keys/audit.last`);
	return [0, 256].some((at) => b.length >= at + 16 && b.readBigUInt64LE(at) >= BigInt(seq));
};
// Some records, and keys has signed the last of them.
async function signedTrail() {
	while (lines().length < 20) d.ok(['user', 'enable', 'bob']);
	await waitFor('the head to be signed', () => signed(records().at(-1)?.seq));
}

test('verify finds a change, a gap, another order, and an end that was cut off', async () => {
	await signedTrail();
	const r = d.ctl(['audit', 'verify']);
	assert.equal(r.status, 0, r.out);
	assert.match(r.out, /^store: records 1 to \d+, .*: whole$/m);
	assert.match(r.out, /^file: records 1 to \d+, .*: whole$/m);
	const dir = copy();
	const f = `${dir}/audit.log`;
	const good = lines(f);
	const n = good.length;
	const check = (name, ls, expected) => {
		fs.writeFileSync(f, `${ls.join('\n')}\n`);
		const v = verify('-d', dir, f);
		assert.equal(v.status, expected ? 1 : 0, `${name}: ${v.out}`);
		if (expected) assert.match(v.out, expected, name);
	};
	check('as it is', good, null);
	check('changed', good.map((l, i) => (i === 5 ? l.replace('"ok"', '"no"') : l)), /line 6: the record after 5 was changed/);
	check('left out', good.filter((_, i) => i !== 7), /records 8 to 8 are missing/);
	check('left out, many', good.filter((_, i) => i < 7 || i > 11), /line 8: records 8 to 12 are missing/);
	check('in another order', good.map((l, i) => (i === 3 ? good[4] : i === 4 ? good[3] : l)), /record 4 comes after record 5/);
	check('twice', [...good.slice(0, 4), ...good.slice(3)], /record 4 comes after record 4/);
	check('cut at the end', good.slice(0, n - 2), new RegExp(`cut: it ends with record ${n - 2}, and keys signed record`));
	// One that was changed and made to fit with a hash of its own.
	const forged = good[5].slice(0, good[5].lastIndexOf(',"hash"')).replace('"ok"', '"no"');
	check('forged', good.map((l, i) => (i === 5
		? `${forged},"hash":"${crypto.createHash('sha256').update(forged).digest('hex')}"}` : l)), /record 7 does not follow record 6/);
	// The whole rest of the chain made anew: only the signature tells.
	const chain = (ls) => {
		let prev = '0'.repeat(64);
		return ls.map((l) => {
			const body = l.slice(0, l.lastIndexOf(',"hash"')).replace(/"prev":"\w+"$/, `"prev":"${prev}"`);
			prev = crypto.createHash('sha256').update(body).digest('hex');
			return `${body},"hash":"${prev}"}`;
		});
	};
	check('all made anew', chain(good.map((l, i) => (i === 5 ? l.replace('"ok"', '"no"') : l))), /is not the one that keys signed/);
	fs.rmSync(dir, { recursive: true });
});

test('verify finds the same in the store', async () => {
	await signedTrail();
	const dir = copy();
	const seg = `${dir}/store/audit/0000000000000001.seg`;
	const good = fs.readFileSync(seg);
	assert.equal(verify('-d', dir).status, 0);
	// Where each record begins.
	const at = [64];
	while (at.at(-1) < good.length) at.push(at.at(-1) + 4 + good.readUInt32LE(at.at(-1)));
	for (let i = 0; i < 60; i++) {
		const b = Buffer.from(good);
		b[64 + Math.floor(Math.random() * (good.length - 64))] ^= 1 << Math.floor(Math.random() * 8);
		fs.writeFileSync(seg, b);
		assert.equal(verify('-d', dir).status, 1);
	}
	fs.writeFileSync(seg, good.subarray(0, at.at(-3)));
	assert.match(verify('-d', dir).out, /cut: it ends with record/);
	fs.writeFileSync(seg, Buffer.concat([good.subarray(0, at[4]), good.subarray(at[6])]));
	assert.match(verify('-d', dir).out, /records 5 to 6 are missing/);
	// A key that is not the one that signed.
	fs.writeFileSync(seg, good);
	const other = crypto.generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' });
	fs.writeFileSync(`${dir}/other.pem`, other);
	fs.rmSync(dir, { recursive: true });
});

test('a trail that was cut while ided was away is not signed again', async () => {
	await signedTrail();
	await d.stop({ keep: true });
	const saved = fs.mkdtempSync(`${d.dir}/saved-`);
	fs.cpSync(`${d.data}/store/audit`, `${saved}/audit`, { recursive: true, preserveTimestamps: true });
	fs.cpSync(file, `${saved}/audit.log`);
	const seg = `${d.data}/store/audit/0000000000000001.seg`;
	const b = fs.readFileSync(seg);
	let at = 64;
	for (let i = 0; i < 10; i++) at += 4 + b.readUInt32LE(at);
	fs.truncateSync(seg, at);
	await d.start();
	await waitFor('ided to say so', () => /audit\.older/.test(d.log));
	assert.match(d.ctl(['audit', 'verify']).out, /cut: it ends with record/);
	await d.stop({ keep: true });
	// As it was; whose files they are is told by the folder.
	const { uid, gid } = fs.statSync(`${d.data}/store/audit`);
	for (const f of fs.readdirSync(`${d.data}/store/audit`)) fs.rmSync(`${d.data}/store/audit/${f}`);
	for (const f of fs.readdirSync(`${saved}/audit`)) {
		fs.copyFileSync(`${saved}/audit/${f}`, `${d.data}/store/audit/${f}`);
		fs.chownSync(`${d.data}/store/audit/${f}`, uid, gid);
		fs.chmodSync(`${d.data}/store/audit/${f}`, 0o600);
	}
	for (const f of fs.readdirSync(d.dir)) if (f.startsWith('audit.log')) fs.rmSync(`${d.dir}/${f}`);
	fs.copyFileSync(`${saved}/audit.log`, file);
	await d.start();
	const v = d.ctl(['audit', 'verify']);
	assert.equal(v.status, 0, v.out);
});

test('each day has its file, as many as are kept, and they are one trail', async () => {
	// A file is of the day of its first line.
	const day = 'audit.log-20260102';
	for (let i = 0; i < 5; i++) {
		await d.stop({ keep: true });
		const first = lines()[0];
		fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace(/"time":"\d{4}-\d\d-\d\d/, '"time":"2026-01-02'));
		// A clock that was wrong for a while: the oldest is told by its records.
		if (i === 4) fs.renameSync(`${d.dir}/${day}.1`, `${d.dir}/audit.log-20990101`);
		await d.start();
		const name = `${d.dir}/${day}${i ? `.${i}` : ''}`;
		await waitFor(`${name} to be put aside`, () => fs.existsSync(name) && fs.existsSync(file) && lines().length > 0);
		fs.writeFileSync(name, fs.readFileSync(name, 'utf8').replace(/^.*/, first));
		d.ok(['user', 'disable', 'bob']);
		d.ok(['user', 'enable', 'bob']);
	}
	await waitFor('the oldest to be removed', () => fs.readdirSync(d.dir).filter((f) => f.startsWith('audit.log-')).length === 3);
	assert.deepEqual(fs.readdirSync(d.dir).filter((f) => f.startsWith(day)).sort(), [`${day}.2`, `${day}.3`, `${day}.4`]);
	const v = d.ctl(['audit', 'verify']);
	assert.equal(v.status, 0, v.out);
	assert.match(v.out, /^file: records (?!1 )\d+ to/m);
});

test('a file that is taken away, or is another\'s, is not missed for long', async () => {
	fs.renameSync(file, `${d.dir}/moved`);
	fs.rmSync(`${d.dir}/moved`);
	await waitFor('another one', () => { d.ctl(['user', 'enable', 'bob']); return fs.existsSync(file) && lines().length > 0; }, 90000, 500);
	await d.stop({ keep: true });
	fs.writeFileSync(file, 'somebody else\'s\n');
	await d.start();
	await waitFor('a file of its own', () => fs.existsSync(file) && lines()[0]?.startsWith('{"v":1'));
	assert.equal(ask('-e', 'audit.file.odd').length, 1);
	assert.ok(fs.readdirSync(d.dir).some((f) => /^audit\.log-\d{8}/.test(f) &&
		fs.readFileSync(`${d.dir}/${f}`, 'utf8').startsWith('somebody')));
	for (const f of fs.readdirSync(d.dir)) if (f.startsWith('audit.log-')) fs.rmSync(`${d.dir}/${f}`);
});

test('auth is killed again and again: what was answered is in the trail, which is whole', async () => {
	const names = [];
	for (let i = 0; i < (Number(process.env.IDED_ROUNDS) || 8); i++) {
		// One that dies more often is given up.
		if (i % 4 === 3) { await d.stop({ keep: true }); await d.start(); }
		const [auth] = d.role('auth');
		const name = `k${i}`;
		const c = spawn(`${obj}/idectl`, ['-s', `${d.runtime}/ided.sock`, 'user', 'add', name]);
		c.stdin.end(`${password}\n`);
		const done = new Promise((r) => c.on('exit', r));
		setTimeout(() => { try { process.kill(auth.pid, 'SIGKILL'); } catch { /* gone */ } }, Math.random() * 300);
		if (await done === 0) names.push(name);
		await waitFor('auth to be back', () => d.role('auth').some((p) => p.pid !== auth.pid) && d.ctl(['status']).status === 0);
	}
	const added = ask('-e', 'user.added').map((r) => r.user);
	for (const n of names) assert.ok(added.includes(n), `${n} was added, and it is not in the trail`);
	// And the other way: who is there was recorded.
	for (const u of JSON.parse(d.ok(['-j', 'user', 'list']))) assert.ok(added.includes(u.name), u.name);
	const v = d.ctl(['audit', 'verify']);
	assert.equal(v.status, 0, v.out);
});

test('on a full disk nothing is done that would have to be recorded', async (t) => {
	const disk = `${d.dir}/disk`;
	fs.mkdirSync(disk);
	if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=3m,mode=0755', 'tmpfs', disk]).status !== 0)
		return t.skip('no tmpfs may be mounted here');
	try {
		await d.stop({ keep: true });
		d.write(`audit { file "${disk}/audit.log" rotate never
	store keep 30d }`);
		await d.start();
		const cookie = await d.login('ann');
		const admin = await d.login('root1', password, { localAddress: elsewhere() });
		fs.writeFileSync(`${disk}/ballast`, '');
		try { for (;;) fs.appendFileSync(`${disk}/ballast`, Buffer.alloc(65536)); } catch { /* full */ }
		// What is reserved is used up first.
		let r;
		for (let i = 0; i < 20000 && (!r || r.status === 0); i++) {
			// Connections of its own each time: what one asks for without end is read slowly.
			const agent = new https.Agent({ keepAlive: true, maxSockets: 8 });
			await Promise.all(Array.from({ length: 160 }, () => d.ask('POST', '/api/admin/users/bob/enable', { body: '{}', agent,
				headers: { cookie: admin, origin: d.origin, 'content-type': 'application/json', 'content-length': 2 } }).catch(() => 0)));
			agent.destroy();
			r = d.ctl(['user', 'enable', 'bob']);
		}
		assert.notEqual(d.ctl(['user', 'disable', 'ann']).status, 0);
		assert.notEqual(r.status, 0);
		assert.match(r.err, /the audit trail cannot be written: no space is left/);
		assert.equal((await d.request('GET', '/api/me', { headers: { cookie } })).status, 200, 'she is not disabled');
		assert.notEqual((await d.post('/login', { username: 'ann', password }, { localAddress: elsewhere() })).status, 303, 'nor does anybody log in');
		fs.rmSync(`${disk}/ballast`);
		await waitFor('room', () => d.ctl(['user', 'disable', 'ann']).status === 0);
		await waitFor('word of it', () => records(`${disk}/audit.log`).some((x) => x.event === 'audit.full' && x.detail.refused > 0));
		assert.equal(d.ctl(['audit', 'verify']).status, 0);
	} finally {
		await d.stop({ keep: true });
		spawnSync('umount', ['-l', disk]);
	}
});
