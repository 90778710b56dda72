// Answers of the user's own server, compressed on their way: over both protocols.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http2 from 'node:http2';
import zlib from 'node:zlib';
import { top, waitFor, sleep } from './daemon.mjs';
import { startRecorder } from '../hostile/backend.mjs';

const line = 'The quick brown fox jumps over the lazy dog. ';
const text = (n) => line.repeat(Math.ceil(n / line.length)).slice(0, n);
const unzstd = (b) => execFileSync('zstd', ['-dcq', '--memory=64KB'], { input: b, maxBuffer: 1 << 24 });
const decode = { br: zlib.brotliDecompressSync, zstd: unzstd, gzip: zlib.gunzipSync, undefined: (b) => b };
let d;

before(async () => { d = await startRecorder({ server: `${top}/regress/system/answers.js` }); });
after(() => d?.stop());

const own = () => ({ cookie: `__Host-ided=${d.bearer}`, 'sec-fetch-site': 'same-origin' });

// { status, headers, body: Buffer } of GET, or HEAD; over HTTP/2.
async function h2get(path, headers = {}, method = 'GET') {
	const c = http2.connect(d.origin, { rejectUnauthorized: false });
	try {
		return await new Promise((resolve, reject) => {
			c.on('error', reject);
			const r = c.request({ ':path': path, ':method': method, ...headers });
			const body = [];
			let h;
			r.on('error', reject);
			r.on('response', (x) => { h = x; });
			r.on('data', (b) => body.push(b));
			r.on('end', () => resolve({ status: h[':status'], headers: h, body: Buffer.concat(body) }));
			r.end();
		});
	} finally { c.close(); }
}
async function h1get(path, headers = {}, method = 'GET') {
	const r = await d.request(method, path, { headers });
	return { status: r.status, headers: r.headers, body: r.raw ?? r.bytes ?? Buffer.from(r.body, 'latin1') };
}

for (const [name, get] of [['HTTP/1.1', h1get], ['HTTP/2', h2get]]) {
	test(`${name}: what compresses is compressed, and is the same after`, async () => {
		for (const [accept, coding] of [['gzip, deflate, br', 'br'], ['gzip', 'gzip'], ['br;q=0.1, gzip', 'gzip'],
			['', undefined], ['identity', undefined], ['br;q=0, gzip;q=0', undefined], ['zstd', 'zstd'],
			['gzip, deflate, br, zstd', 'zstd'], ['zstd;q=0.5, br', 'br'], ['compress', undefined]])
			for (const kind of ['text', 'chunked', 'trailer']) for (const n of [1024, 20000, 3000000]) {
				const r = await get(`/ide/a/${kind}?n=${n}`, { ...own(), 'accept-encoding': accept });
				assert.equal(r.status, 200);
				assert.equal(r.headers['content-encoding'], coding, `${accept} ${kind}`);
				assert.match(r.headers.vary, /accept-encoding/);
				assert.equal(decode[coding](r.body).toString(), text(n));
				if (coding) assert.ok(r.body.length < n / 5, `${r.body.length} of ${n}`);
				if (coding) assert.equal(r.headers['content-length'], undefined);
			}
	});

	test(`${name}: never twice, never pictures, never little, never a part`, async () => {
		const br = { ...own(), 'accept-encoding': 'br, gzip' };
		let r = await get('/ide/a/gzip', br);
		assert.equal(r.headers['content-encoding'], 'gzip');
		assert.equal(zlib.gunzipSync(r.body).toString(), text(20000));
		r = await get('/ide/a/png', br);
		assert.equal(r.headers['content-encoding'], undefined);
		assert.equal(r.body.toString(), text(20000));
		r = await get('/ide/a/text?n=1023', br);
		assert.equal(r.headers['content-encoding'], undefined);
		assert.equal(r.headers['content-length'], '1023');
		r = await get('/ide/a/etag', { ...br, range: 'bytes=100-4099' });
		assert.equal(r.status, 206);
		assert.equal(r.headers['content-encoding'], undefined);
		assert.equal(r.headers.etag, '"one"');
		assert.equal(r.body.toString(), text(20000).slice(100, 4100));
	});

	test(`${name}: a variant has a weak tag, which is asked for, and not a part of it`, async () => {
		const br = { ...own(), 'accept-encoding': 'br' };
		let r = await get('/ide/a/etag', br);
		assert.equal(r.headers.etag, 'W/"one"');
		assert.equal(r.headers['accept-ranges'], undefined);
		r = await get('/ide/a/etag', { ...br, 'if-none-match': 'W/"one"' });
		assert.equal(r.status, 304);
		assert.equal(r.headers.etag, 'W/"one"');
		assert.equal(r.body.length, 0);
		r = await get('/ide/a/etag', { ...br, range: 'bytes=0-99', 'if-range': 'W/"one"' });
		assert.equal(r.status, 200);
		assert.equal(decode.br(r.body).toString(), text(20000));
		r = await get('/ide/a/etag', { ...own(), 'accept-encoding': '' });
		assert.equal(r.headers.etag, '"one"');
		assert.equal(r.headers['accept-ranges'], 'bytes');
	});

	test(`${name}: HEAD says what GET would`, async () => {
		const headers = { ...own(), 'accept-encoding': 'br' };
		const a = await get('/ide/a/text', headers);
		const b = await get('/ide/a/text', headers, 'HEAD');
		assert.equal(b.status, 200);
		assert.equal(b.body.length, 0);
		for (const h of ['content-encoding', 'vary', 'content-type', 'etag', 'content-length'])
			assert.equal(b.headers[h], a.headers[h], h);
		const c = await get('/ide/a/text', { ...own(), 'accept-encoding': '' }, 'HEAD');
		assert.equal(c.headers['content-length'], '20000');
	});

	test(`${name}: what another site could have asked for is not compressed`, async () => {
		for (const site of ['cross-site', 'same-site', undefined, 'Same-Origin']) {
			const headers = { cookie: `__Host-ided=${d.bearer}`, 'accept-encoding': 'br' };
			if (site) headers['sec-fetch-site'] = site;
			const r = await get('/ide/a/text?guess=secret', headers);
			assert.equal(r.status, 200);
			assert.equal(r.headers['content-encoding'], undefined, site);
			assert.match(r.headers.vary, /accept-encoding/);
		}
		const r = await get('/ide/a/text', { authorization: `Bearer ${d.bearer}`, 'accept-encoding': 'br' });
		assert.equal(r.headers['content-encoding'], 'br');
	});

	test(`${name}: an event goes at once`, async () => {
		const c = http2.connect(d.origin, { rejectUnauthorized: false });
		const seen = [];
		try {
			const un = zlib.createBrotliDecompress();
			un.on('data', (b) => seen.push(b.toString()));
			const end = new Promise((resolve) => un.on('end', resolve));
			const r = c.request({ ':path': '/ide/a/events', ...own(), 'accept-encoding': 'br' });
			r.on('response', (h) => assert.equal(h['content-encoding'], 'br'));
			r.pipe(un);
			for (let i = 0; i < 5; i++) {
				await waitFor(`event ${i}`, () => seen.join('') ===
					Array.from({ length: i + 1 }, (_, k) => `data: ${k}\n\n`).join(''), 20000, 5);
				await get('/ide/a/heard', own());
			}
			await end;
		} finally { c.close(); }
	});
}

test('a browser hears at once what the workbench needs', async () => {
	const c = http2.connect(d.origin, { rejectUnauthorized: false });
	let told;
	const hints = (headers) => new Promise((resolve, reject) => {
		const r = c.request({ ':path': '/ide/?folder=/x', ...own(), ...headers });
		const links = [];
		r.on('headers', (h) => { assert.equal(h[':status'], 103); links.push(...[h.link].flat()); });
		r.on('response', (h) => { assert.equal(h[':status'], 200); told = h['set-cookie']; resolve(links.join(', ')); });
		r.on('error', reject);
		r.resume();
	});
	try {
		const links = await hints({ 'sec-fetch-dest': 'document' });
		assert.match(links, /<\/ide\/stable-0\/static\/out\/vs\/code\/browser\/workbench\/workbench\.js>; rel=modulepreload/);
		assert.match(links, /workbench\.css>; rel=preload; as=style/);
		// Only once for each build: then the browser has them.
		assert.match(String(told), /^__Secure-ided-files=stable-0; Secure; HttpOnly; SameSite=Lax; Path=\/ide\/; Max-Age=/);
		const { cookie } = own();
		assert.equal(await hints({ 'sec-fetch-dest': 'document', cookie: `${cookie}; __Secure-ided-files=stable-0` }), '');
		assert.equal(told, undefined);
		assert.notEqual(await hints({ 'sec-fetch-dest': 'document', cookie: `${cookie}; __Secure-ided-files=stable-1` }), '');
		assert.equal(await hints({ 'sec-fetch-dest': 'iframe' }), '');
		assert.equal(await hints({}), '');
	} finally { c.close(); }
});

test('who does not read holds the server up, not our memory', async () => {
	const c = http2.connect(d.origin, { rejectUnauthorized: false, settings: { initialWindowSize: 65535 } });
	try {
		const r = c.request({ ':path': '/ide/a/endless', ...own(), 'accept-encoding': 'br' });
		await new Promise((resolve) => r.on('response', (h) => {
			assert.equal(h['content-encoding'], 'br');
			r.pause();
			resolve();
		}));
		let last = -1;
		await waitFor('the server to be held up', async () => {
			const n = Number((await h1get('/ide/a/written', own())).body.toString());
			const still = n === last;
			last = n;
			await sleep(300);
			return still;
		});
		assert.ok(last < 8 << 20, `${last} bytes were taken`);
		r.close();
	} finally { c.destroy(); }
});

test('a hundred streams of one connection come on together', { timeout: 60000 }, async () => {
	const size = 1000000;
	fs.writeFileSync(`${d.opts.idePath}/static/vscode/big.bin`, Buffer.alloc(size, 'x'));
	const c = http2.connect(d.origin, { rejectUnauthorized: false });
	const got = new Array(100).fill(0);
	try {
		await new Promise((resolve, reject) => {
			c.on('error', reject);
			for (let i = 0; i < got.length; i++) {
				const r = c.request({ ':path': '/ide/stable-0/static/big.bin', ...own() });
				r.on('error', reject);
				r.on('response', (h) => assert.equal(h[':status'], 200));
				// When the first one is at its end, how far are the others?
				r.on('data', (b) => { if ((got[i] += b.length) === size) resolve(); });
			}
		});
	} finally { c.destroy(); }
	const least = Math.min(...got);
	assert.ok(least > size / 2, `the last one had ${least} of ${size} bytes when the first one had all`);
});

test('while auth is away, requests wait for it instead of failing', { timeout: 60000 }, async () => {
	const c = http2.connect(d.origin, { rejectUnauthorized: false });
	const open = [];
	const ask = (path) => new Promise((resolve, reject) => {
		const r = c.request({ ':path': path, ...own() });
		open.push(r);
		r.on('error', reject);
		r.on('response', (h) => resolve(h[':status']));
		r.resume();
	});
	try {
		c.on('error', () => {});
		// Streams that end when they are told to hold their connections: each request wants one of its own.
		assert.equal(await ask('/ide/a/events'), 200);
		process.kill(d.role('auth')[0].pid, 'SIGKILL');
		const answers = [];
		for (let i = 0; i < 30; i++) {
			answers.push(ask('/ide/a/events'));
			await sleep(20);
		}
		assert.deepEqual([...new Set(await Promise.all(answers))], [200]);
	} finally { for (const r of open) r.close(); c.destroy(); }
});
