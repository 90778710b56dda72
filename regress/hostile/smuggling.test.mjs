// Request smuggling: the payloads of smuggling.json, over TLS, as a user who
// has an IDE.  What reached the IDE is read as other servers would read it: none
// may see a request that ided did not see.  The same payloads through a proxy
// that passes on what it gets show that the readings find it.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import { idePath, waitFor } from '../system/daemon.mjs';
import { answers, each, makeIde, readRecord, send, sources, startRecorder, status } from './backend.mjs';
import { Llhttp, ambiguous, readings } from './readings.mjs';

const rows = JSON.parse(fs.readFileSync(new URL('smuggling.json', import.meta.url), 'utf8'));
const source = sources(9);
let d;
let llhttp;

before(async () => {
	d = await startRecorder({ prefork: 'spare 8' });
	llhttp = await new Llhttp().open();
});
after(async () => { llhttp?.close(); await d?.stop(); });

// The first request is made the user's own, and one for the IDE; the number in
// its path tells whose bytes they are.  Nothing behind its head is touched.
function payload(row, i) {
	let bytes = row.bytes.replace(/ \/(?=[ ?\t])/, ` /ide/p${i}.`);
	const line = /HTTP\/1\.[01]\r\n(?=[^\r\n])/.exec(bytes);
	if (line !== null && line.index < 200) {
		const at = line.index + line[0].length;
		// A hundred headers are the most: ours is one of them.
		if ((row.bytes.match(/\r\n/g) ?? []).length > 99) bytes = bytes.replace('X: y\r\n', '');
		bytes = `${bytes.slice(0, at)}Authorization: Bearer ${d.bearer}\r\n${bytes.slice(at)}`;
	}
	return bytes;
}

const number = (bytes) => Number(/^\S+ \/ide\/p(\d+)\./.exec(bytes)?.[1] ?? NaN);
const results = [];

test('every payload is answered as it must be', { timeout: 240000 }, async () => {
	const wrong = [];
	await each(rows, async (row, i) => {
		const bytes = payload(row, i);
		const o = { servername: 'ided.test', localAddress: source() };
		const r = await send(d, bytes, o);
		const list = answers(r.out, bytes.startsWith('HEAD') ? [0] : []);
		const bad = list.filter((a) => a.status >= 400 && a.status !== 404);
		results[i] = { list, bytes };
		let want = true;
		if (r.timedout) want = false;
		else if (row.expect === 'reject') {
			// A refusal is the last word; to what is not even HTTP, none is said.
			want = list.length === 0 ? /^before TLS/.test(row.name) : list.length <= 2 && bad.length >= 1 &&
				list.at(-1).status >= 400 && /^connection: close/im.test(list.at(-1).head);
			if (list.length === 2 && list[0].status >= 400 && list[0].status !== 421) want = false;
		} else if (row.expect === 'accept-one') want = list.length === 1;
		else if (row.expect === 'accept-two') want = list.length === 2 || /^upgrade with/.test(row.name);
		else want = list.length <= 1;
		if (!want) wrong.push(`${row.name}: ${r.timedout ? 'timeout ' : ''}${list.map((a) => a.status)} for ${row.expect}`);
	});
	assert.deepEqual(wrong, []);
});

test('no payload smuggles a request, and no ambiguous head reaches the IDE', { timeout: 120000 }, async (t) => {
	const record = d.record('ann').filter((c) => !/^GET \/ide\/hello/.test(c.bytes));
	const wrong = [];
	const reached = new Map();
	for (const c of record) {
		const i = number(c.bytes);
		if (!(i in rows)) {
			wrong.push(`bytes of nobody: ${JSON.stringify(c.bytes.slice(0, 200))}`);
			continue;
		}
		reached.set(i, (reached.get(i) ?? 0) + 1);
		const why = await ambiguous(c.bytes, llhttp);
		if (why !== null) wrong.push(`${rows[i].name}: ${why}`);
		for (const [name, read] of Object.entries(readings))
			for (const r of read(c.bytes))
				if (/ \/smuggled/.test(r)) wrong.push(`${rows[i].name}: smuggled: ${name}: ${r}`);
		if (c.bytes.includes(d.bearer)) wrong.push(`${rows[i].name}: the credential went to the IDE`);
		// What was passed on has the body that was sent.
		if (rows[i].expect.startsWith('accept')) {
			const size = (list) => /(\d+)$/.exec(list[0] ?? '')?.[1];
			const sent = size(readings['as the RFC says'](results[i].bytes.replace(/^(\r\n)+/, '')));
			const got = size(readings['as the RFC says'](c.bytes));
			if (sent !== got) wrong.push(`${rows[i].name}: body of ${got} bytes for ${sent}`);
		}
	}
	// None had more than one connection, and many did reach the IDE.
	for (const [i, n] of reached) if (n > 1) wrong.push(`${rows[i].name}: ${n} connections`);
	assert.deepEqual(wrong, []);
	const good = rows.filter((r) => r.expect.startsWith('accept'));
	const there = good.filter((r) => reached.has(rows.indexOf(r)));
	assert.ok(there.length > good.length / 2, `${there.length} of ${good.length}`);
	t.diagnostic(`${rows.length} payloads; ${there.length} of ${good.length} good ones reached the IDE`);
});

test('an answer belongs to its request, whatever came before on the connection', { timeout: 60000 }, async () => {
	const auth = `Host: ided.test\r\nAuthorization: Bearer ${d.bearer}\r\n`;
	const heads = ['GET /ide/q0 HTTP/1.1\r\n', 'HEAD /ide/q1 HTTP/1.1\r\n', 'POST /ide/q2 HTTP/1.1\r\nContent-Length: 43\r\n',
		'OPTIONS /ide/q3 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n', 'GET /ide/q4 HTTP/1.1\r\nContent-Length: 43\r\n', 'GET /ide/q5 HTTP/1.1\r\n'];
	const inner = 'GET /smuggled HTTP/1.1\r\nHost: ided.test\r\n\r\n';
	const bodies = ['', '', inner, `2b\r\n${inner}\r\n0\r\n\r\n`, inner, ''];
	const r = await send(d, heads.map((h, i) => `${h}${auth}\r\n${bodies[i]}`).join(''),
		{ servername: 'ided.test', localAddress: source() });
	const list = answers(r.out, [1]);
	assert.deepEqual(list.map((a) => a.status), [200, 200, 200, 200, 200, 200]);
	for (const i of [0, 2, 3, 4, 5]) assert.match(list[i].body, new RegExp(`/ide/q${i} HTTP`));
});

test('control: through a proxy that passes on what it gets, it is smuggled', { timeout: 120000 }, async (t) => {
	const ide = makeIde();
	const socket = `${ide}/socket`;
	const recorder = spawn(`${idePath}/node/bin/node`, [`${ide}/server/out/server-main.js`, '--socket-path', socket],
		{ env: { HOME: ide }, stdio: 'ignore' });
	const proxy = net.createServer({ allowHalfOpen: true }, (c) => {
		const u = net.connect({ path: socket, allowHalfOpen: true });
		c.pipe(u);
		u.pipe(c);
		for (const s of [c, u]) s.on('error', () => { c.destroy(); u.destroy(); });
	});
	try {
		await waitFor('the recorder', () => fs.existsSync(socket));
		await new Promise((r) => { proxy.listen(0, '127.0.0.1', r); });
		const bad = rows.map((row, i) => ({ row, i })).filter(({ row }) => row.expect === 'reject' && row.bytes !== '');
		await each(bad, ({ row, i }) => new Promise((resolve) => {
			const c = net.connect(proxy.address().port, '127.0.0.1', () => c.end(Buffer.from(payload(row, i), 'latin1')));
			c.resume();
			c.on('error', resolve);
			c.on('close', resolve);
		}));
		await waitFor('all of it to be written down', () => readRecord(`${ide}/record.jsonl`).filter((c) => c.end).length === bad.length);
		let smuggled = 0;
		let unclear = 0;
		for (const c of readRecord(`${ide}/record.jsonl`)) {
			if (await ambiguous(c.bytes, llhttp) !== null) unclear++;
			if (Object.values(readings).some((read) => read(c.bytes).some((r) => / \/smuggled/.test(r)))) smuggled++;
		}
		t.diagnostic(`of ${bad.length} bad payloads ${smuggled} smuggle, ${unclear} are ambiguous`);
		assert.ok(smuggled > 50, `only ${smuggled} seen`);
		assert.ok(unclear > 400, `only ${unclear} seen`);
	} finally {
		proxy.close();
		recorder.kill('SIGKILL');
		fs.rmSync(ide, { recursive: true, force: true });
	}
});

test('no worker crashed over all of them', () => {
	assert.equal(status(d).crashes, 0);
});
