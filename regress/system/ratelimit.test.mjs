// Rate limits, as clients see them: never more than the limit, over however many
// connections; nobody is refused for what others hold and do not use; who is known
// counts for himself; a reload changes them.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import { freePort, startDaemon, waitFor, sleep } from './daemon.mjs';

const limits = (l) => Object.entries({ login: '1000 per 15m', web: '60 per 1h', api: '20 per 1h', user: '50 per 1h', ...l })
	.map(([k, v]) => `${k} ${v}`).join('\n');
let d, proxied;
before(async () => {
	proxied = await freePort();
	d = await startDaemon({ users: ['ann', 'bob', 'eve', 'tom'], ratelimit: limits(), prefork: 'spare 4\nper-source 200\nstartups 400:30:800',
		conf: `audit { store keep 1d }\nlisten on 127.0.0.1 port ${proxied} proxy-protocol from 127.0.0.1` });
});
after(() => d?.stop());

let host = 0;
const address = () => `127.0.8.${++host}`; // nobody has used it yet
const get = (url, opts) => d.request('GET', url, { ...opts, headers: { accept: 'application/json', ...opts?.headers } });
const keep = () => new https.Agent({ keepAlive: true, maxSockets: 1 });
const count = (all, status) => all.filter((r) => r.status === status).length;

test('an address: the numbers of every answer, and 429 at the end', async () => {
	const localAddress = address(), agent = keep();
	let last = 60;
	for (let i = 0; i < 60; i++) {
		const r = await get('/login', { localAddress, agent, headers: { accept: 'text/html' } });
		assert.equal(r.status, 200, `request ${i}`);
		assert.equal(r.headers['x-ratelimit-limit'], '60');
		assert.equal(Number(r.headers['x-ratelimit-remaining']), --last);
		assert.ok(Number(r.headers['x-ratelimit-reset']) >= Math.floor(Date.now() / 1000) - 5);
	}
	const r = await get('/login', { localAddress, agent });
	assert.equal(r.status, 429);
	assert.equal(r.json.error.code, 'RATE_LIMITED');
	assert.equal(r.headers['x-ratelimit-remaining'], '0');
	assert.ok(Number(r.headers['retry-after']) > 3500 && Number(r.headers['retry-after']) <= 3600);
	const reset = Number(r.headers['x-ratelimit-reset']) - Date.now() / 1000;
	assert.ok(reset > 3500 && reset <= 3601, `${reset}`);
	// Another class, another address, and what everybody gets.
	assert.equal((await get('/api/me', { localAddress, agent })).status, 401);
	assert.equal((await get('/healthz', { localAddress, agent })).status, 200);
	assert.equal((await get('/healthz', { localAddress, agent })).headers['x-ratelimit-limit'], undefined);
	assert.equal((await get('/login', { localAddress: address() })).status, 200);
	agent.destroy();
});

test('who was refused is listed, and in the audit trail: once, and then once a minute', async () => {
	const localAddress = address(), agent = keep();
	for (let i = 0; i < 60; i++) await get('/login', { localAddress, agent });
	for (let i = 0; i < 12; i++) assert.equal((await get('/login', { localAddress })).status, 429);
	const cookie = await d.login('tom', undefined, { localAddress: address() });
	const his = keep(), from = address();
	for (let i = 0; i < 30; i++) await get('/api/users/me', { localAddress: from, agent: his, headers: { cookie } });
	agent.destroy();
	his.destroy();
	const list = JSON.parse(d.ok(['-j', 'ratelimit', 'list']));
	const of = (limit, who) => list.find((r) => r.limit === limit && r.who === who);
	const web = of('web', localAddress);
	assert.equal(web.of, 60);
	assert.equal(web.used, 60);
	assert.ok(web.refused >= 1 && web.reset > 3500, JSON.stringify(web));
	assert.equal(of('api', 'tom').of, 20);
	assert.ok(of('api', 'tom').refused >= 1);
	assert.ok(of('user', 'tom').used >= 20);
	const ask = () => d.ok(['-j', 'audit', 'query', '-e', 'ratelimit.refused']).split('\n').filter(Boolean)
		.map((l) => JSON.parse(l)).filter((r) => r.seq);
	await waitFor('both records', () => ask().some((r) => r.source === localAddress) && ask().some((r) => r.user === 'tom'));
	const mine = ask().filter((r) => r.source === localAddress);
	assert.equal(mine.length, 1, 'twelve refusals are no twelve records');
	assert.equal(mine[0].outcome, 'denied');
	assert.equal(mine[0].detail.limit, 'web');
	assert.ok(mine[0].detail.refused >= 1);
	assert.equal(ask().find((r) => r.user === 'tom').detail.limit, 'api');
});

test('over many connections at once there are as many as there may be, and no more', async () => {
	for (const shape of ['one after the other', 'at once']) {
		const localAddress = address();
		const all = [];
		if (shape === 'at once')
			all.push(...await Promise.all(Array.from({ length: 80 }, () => get('/login', { localAddress }))));
		else
			for (let i = 0; i < 80; i++) all.push(await get('/login', { localAddress }));
		assert.equal(count(all, 200), 60, `${shape}: ${all.map((r) => r.status)}`);
		assert.equal(count(all, 429), 20, shape);
	}
});

test('nobody is refused for what others hold and do not use', async () => {
	const localAddress = address();
	const idle = Array.from({ length: 30 }, keep);
	// Each of them has some on loan, and keeps it.
	for (const agent of idle) assert.equal((await get('/login', { localAddress, agent })).status, 200);
	const agent = keep();
	for (let i = 0; i < 30; i++)
		assert.equal((await get('/login', { localAddress, agent })).status, 200, `request ${i}`);
	assert.equal((await get('/login', { localAddress, agent })).status, 429);
	for (const a of [...idle, agent]) a.destroy();
});

test('many streams of one connection', async () => {
	const localAddress = address();
	const s = http2.connect(d.origin.replace('localhost', '127.0.0.1'), { localAddress, rejectUnauthorized: false, servername: 'localhost' });
	const one = () => new Promise((resolve, reject) => {
		const r = s.request({ ':path': '/login', ':authority': `localhost:${d.port}`, accept: 'application/json' });
		r.on('response', (h) => { r.resume(); r.on('end', () => resolve({ status: h[':status'] })); });
		r.on('error', reject);
		r.end();
	});
	const all = await Promise.all(Array.from({ length: 90 }, one));
	assert.equal(count(all, 200), 60);
	assert.equal(count(all, 429), 30);
	s.close();
});

test('who is known counts for himself, wherever he comes from', async () => {
	const cookie = await d.login('ann', undefined, { localAddress: address() });
	const all = [];
	for (let i = 0; i < 25; i++)
		all.push(await get('/api/me', { headers: { cookie }, localAddress: address() }));
	assert.equal(count(all, 200), 20, all.map((r) => r.status).join(' '));
	assert.equal(all[0].headers['x-ratelimit-limit'], '20');
	// Of all classes together no more than that of the user.
	const web = [];
	const localAddress = address();
	for (let i = 0; i < 40; i++) web.push(await get('/', { headers: { cookie }, localAddress }));
	assert.equal(count(web, 200), 30, web.map((r) => r.status).join(' '));
	assert.equal(web[0].headers['x-ratelimit-limit'], '50');
	// The address has lost nothing by it: it was only asked who that is.
	const mine = [];
	for (let i = 0; i < 60; i++) mine.push(await get('/login', { localAddress }));
	assert.equal(count(mine, 200), 60);
	const bob = await d.login('bob', undefined, { localAddress: address() });
	assert.equal((await get('/', { headers: { cookie: bob }, localAddress: address() })).status, 200);
});

test('an IPv6 address counts with its /64, for requests and for logins', async () => {
	const via = (ip, text) => new Promise((resolve, reject) => {
		const s = net.connect({ port: proxied, host: '127.0.0.1' });
		let out = '';
		s.on('connect', () => s.end(`PROXY TCP6 ${ip} ${ip} 4711 443\r\n${text}`));
		s.on('data', (b) => { out += b; });
		s.on('error', reject);
		s.on('close', () => resolve([...out.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map((m) => Number(m[1]))));
	});
	const get = (n) => `GET /login HTTP/1.1\r\nHost: localhost:${proxied}\r\n\r\n`.repeat(n);
	const all = [...await via('2001:db8:1:2::1', get(40)), ...await via('2001:db8:1:2:ffff:0:0:9', get(30))];
	assert.equal(all.filter((s) => s === 200).length, 60);
	assert.equal(all.at(-1), 429);
	assert.deepEqual(await via('2001:db8:1:3::1', get(1)), [200]);
	d.opts.ratelimit = limits({ login: '3 per 1h' });
	d.write();
	d.ok(['reload']);
	const login = (password) => {
		const body = `username=eve&password=${password}`;
		return `POST /login HTTP/1.1\r\nHost: localhost:${proxied}\r\nOrigin: http://localhost:${proxied}\r\n` +
			`Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
	};
	for (const host of ['::1', ':1:1:1:1', ':ffff:ffff:ffff:ffff']) assert.deepEqual(await via(`2001:db8:2:1${host}`, login('wrong')), [401], host);
	assert.deepEqual(await via('2001:db8:2:1::2', login('wrong')), [429]);
	assert.deepEqual(await via('2001:db8:2:2::1', login('wrong')), [401]);
	d.opts.ratelimit = limits();
	d.write();
	d.ok(['reload']);
});

test('guesses of who it is count for the address', async () => {
	const localAddress = address();
	const all = [];
	for (let i = 0; i < 30; i++)
		all.push(await get('/api/me', { localAddress, headers: { authorization: `Bearer ${String(i).padStart(64, '0')}` } }));
	assert.equal(count(all, 401), 20);
	assert.equal(count(all, 429), 10);
});

test('a window slides: what was used comes back when its time is over, all of it and no sooner', async () => {
	d.opts.ratelimit = limits({ web: '10 per 2s' });
	d.write();
	d.ok(['reload']);
	const localAddress = address();
	const went = [];
	const end = Date.now() + 60000;
	while (went.length < 40 && Date.now() < end) {
		const before = Date.now();
		const r = await get('/login', { localAddress });
		if (r.status === 200) went.push({ before, after: Date.now() });
		else assert.ok(Number(r.headers['retry-after']) <= 2);
		await sleep(20);
	}
	// In no 2 s that certainly hold them are there 11.
	for (let i = 10; i < went.length; i++)
		assert.ok(went[i].after - went[i - 10].before >= 2000, `${i}: ${went[i].after - went[i - 10].before}`);
	assert.equal(went.length, 40);
	d.opts.ratelimit = limits();
	d.write();
	d.ok(['reload']);
});

test('master\'s count outlives auth, and a worker that is killed gives nothing back', async () => {
	const localAddress = address();
	const all = [];
	for (let i = 0; i < 30; i++) all.push(await get('/login', { localAddress }));
	assert.equal(count(all, 200), 30);
	const [p] = d.role('auth');
	process.kill(p.pid, 'SIGKILL');
	await waitFor('auth to be back', () => d.role('auth').some((q) => q.pid !== p.pid));
	// What a worker has on loan is given back when it leaves.
	await waitFor('all to have left', () => { const s = JSON.parse(d.ok(['-j', 'status'])); return s.workers === s.spare; });
	const agent = keep();
	assert.equal((await get('/login', { localAddress, agent })).status, 200);
	const before = Number((await get('/login', { localAddress, agent })).headers['x-ratelimit-remaining']);
	assert.equal(before, 28);
	for (const w of d.role('worker')) try { process.kill(w.pid, 'SIGKILL'); } catch { /* it has just left */ }
	await waitFor('spares', () => d.role('worker').length >= 4);
	const r = await get('/login', { localAddress });
	assert.ok(r.status === 200 && Number(r.headers['x-ratelimit-remaining']) <= before - 1, `${r.status} ${r.headers['x-ratelimit-remaining']}`);
	agent.destroy();
});
