// Connections to a program: so many of one client at a time, so many kept without a
// request, and for so long.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { waitFor } from './daemon.mjs';
import { ask, serve, startPorts } from './port-daemon.mjs';

let d, ann;
before(async () => {
	d = await startPorts({ domain: false, users: ['ann'], prefork: 'spare 4' });
	ann = await d.login('ann');
	await serve(d, 'ann', 3000);
}, { timeout: 60000 });
after(() => d?.stop());

// Another client has a pool of its own: it is the one connection more.
const connections = async () => (await ask(d, 'localhost', 'GET', '/proxy/3000/connections', { headers: { cookie: ann } })).json;

async function client() {
	const c = http2.connect(`https://localhost:${d.port}`, { rejectUnauthorized: false,
		lookup: (h, o, cb) => (o.all ? cb(null, [{ address: '127.0.0.1', family: 4 }]) : cb(null, '127.0.0.1', 4)) });
	c.on('error', () => {});
	await new Promise((r) => { c.once('remoteSettings', r); });
	return c;
}
const get = (c, path) => new Promise((resolve, reject) => {
	const r = c.request({ ':path': path, cookie: ann });
	let out = '', status;
	r.on('response', (h) => { status = h[':status']; });
	r.on('data', (b) => { out += b; });
	r.on('error', reject);
	r.on('close', () => resolve({ status, out }));
});
const many = (c, n, path) => Promise.all(Array.from({ length: n }, () => get(c, path)));

test('a hundred at a time, and ten are kept', { timeout: 60000 }, async () => {
	const c = await client();
	await connections();
	const all = await many(c, 100, '/proxy/3000/slow?ms=1500');
	assert.ok(all.every((r) => r.status === 200 && r.out === 'late'));
	const { peak } = await connections();
	assert.ok(peak >= 100 && peak <= 101, `${peak} connections at a time`);
	await waitFor('ten to be left', async () => (await connections()).open === 11);
	// They are what the next requests go by.
	const before_ = (await connections()).connections;
	await many(c, 10, '/proxy/3000/slow?ms=50');
	assert.equal((await connections()).connections, before_ + 1, 'only the one that asks is new');
	c.destroy();
	await waitFor('none to be left', async () => (await connections()).open === 1);
});

test('fewer, if the configuration says so; who comes later waits; and none is kept for longer', { timeout: 60000 }, async () => {
	d.write('proxy { pool 3 idle 2 keepalive 1s }');
	d.ok(['reload']);
	await waitFor('it to be in effect', async () => {
		const c = await client();
		await connections();
		await many(c, 6, '/proxy/3000/slow?ms=100');
		const { peak } = await connections();
		c.destroy();
		return peak <= 4;
	});
	const c = await client();
	await waitFor('the last client to be gone', async () => (await connections()).open === 1);
	await connections();
	const at = Date.now(); // none of them is kept before
	const all = await many(c, 12, '/proxy/3000/slow?ms=100');
	assert.ok(all.every((r) => r.status === 200 && r.out === 'late'), 'all are answered');
	const { peak } = await connections();
	assert.ok(peak >= 3 && peak <= 4, `${peak} at a time`);
	const kept = await waitFor('two to be left', async () => { const n = (await connections()).open; return n <= 3 && n; }, 20000, 10);
	if (Date.now() - at < 900) assert.equal(kept, 3);
	await waitFor('these to go as well', async () => (await connections()).open === 1);
	assert.equal((await get(c, '/proxy/3000/')).status, 200);
	c.destroy();
});
