// ided itself with a large store: a million accounts, a session each, and ten million
// records of the audit trail.  From its start to the first login that is answered, what
// is found meanwhile by the API and by idectl, what auth takes of memory; the same after
// kill -9; a backup of it while others work, its restore, and ided on what was restored.
//
//	O=obj node regress/bench/large.mjs [accounts [records]]
//
// SMALL=1 is 20,000 and 100,000, in seconds; TMPDIR names the folder to work in, whose
// disk's figures these are: some 20 GB for all of it.  FILLED names a store that was made
// before, by accounts_load and audit_load, and is used up.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import https from 'node:https';
import { Daemon, obj, password, sleep } from '../system/daemon.mjs';

const small = Boolean(process.env.SMALL);
const accounts = Number(process.argv[2] || (small ? 20_000 : 1_000_000));
const records = Number(process.argv[3] || (small ? 100_000 : 10_000_000));
const users = Math.min(100_000, accounts);	// of whom the trail tells
const quantile = (a, q) => [...a].sort((x, y) => x - y)[Math.floor(q * (a.length - 1))];
const figures = (a) => `median ${quantile(a, 0.5).toFixed(1)} ms, p99 ${quantile(a, 0.99).toFixed(1)}, worst ${Math.max(...a).toFixed(1)}`;
const since = (at) => (performance.now() - at).toFixed(0);
const load = (tool, ...args) => JSON.parse(execFileSync(`${obj}/regress/bench/${tool}`, args.map(String), { encoding: 'utf8' }));
const size = (dir) => fs.readdirSync(dir, { recursive: true }).reduce((n, f) => n + fs.statSync(`${dir}/${f}`).size, 0);
const GB = (n) => `${(n / 1e9).toFixed(2)} GB`;
const any = (n) => Math.floor(Math.random() * n);

const conf = 'audit { store keep 36500d }';
const all = [];
async function prepared() {
	const d = new Daemon({ conf, ratelimit: 'login 1000000 per 15m', prefork: 'spare 8\nmax 400\nper-source 200\nstartups 300:30:400' });
	all.push(d);
	await d.prepare();
	// The loaders count uids from 200000.
	fs.writeFileSync(d.conf, fs.readFileSync(d.conf, 'utf8').replace(/uids \d+:1000/, 'uids 200000:4000000'));
	return d;
}

const memory = (d) => {
	const s = fs.readFileSync(`/proc/${d.role('auth')[0].pid}/status`, 'latin1');
	return ['RssAnon', 'RssFile', 'VmHWM'].map((k) => `${k} ${(Number(new RegExp(`^${k}:\\s+(\\d+)`, 'm').exec(s)[1]) / 1024).toFixed(1)} MB`).join(', ');
};

// From its start, or from when auth was killed, to the first login that is answered.
let sources = 0;
async function firstLogin(d, at, who = 'clerk') {
	for (;;) {
		try {
			return await d.login(who, password, { localAddress: `127.30.${++sources >> 8}.${sources & 255}` });
		} catch (e) {
			if (performance.now() - at > 900000) throw e;
			await sleep(2);
		}
	}
}
async function started(d, what) {
	const at = performance.now();
	// After a restore it may take minutes, longer than start() waits.
	const ready = await d.start().then(() => `ready after ${since(at)} ms`, (e) => { if (d.exit) throw e; return 'not ready soon'; });
	const cookie = await firstLogin(d, at, 'boss');
	console.log(`${what}: ${ready}, the first login answered after ${since(at)}; auth: ${memory(d)}`);
	return cookie;
}

async function asked(d, cookie, paths, times) {
	const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
	const took = [];
	for (let i = 0; i < times; i++) {
		const at = performance.now();
		const r = await d.ask('GET', paths(), { agent, headers: { cookie, accept: 'application/json' } });
		if (r.status !== 200) throw new Error(`${r.status} ${r.body}`);
		took.push(performance.now() - at);
	}
	agent.destroy();
	return took;
}
const name = () => `user${String(any(accounts)).padStart(7, '0')}`;

async function look(d, cookie, times = 1000) {
	console.log(`/api/users/NAME: ${figures(await asked(d, cookie, () => `/api/users/${name()}`, times))}`);
	console.log(`/api/users, a page behind a cursor: ${figures(await asked(d, cookie, () => `/api/users?limit=50&cursor=${name()}`, times / 10))}`);
	// What nobody has: page after page, each of which is bounded.
	for (const [what, q] of [['an e-mail address', `${name()}@example.org`], ['a name', name()]]) {
		const at = performance.now();
		let pages = 0, found = 0, next = '';
		for (; next !== null && !found; pages++) {
			const r = await d.ask('GET', `/api/users?limit=100&q=${q}${next && `&cursor=${next}`}`, { headers: { cookie, accept: 'application/json' } });
			if (r.status !== 200) throw new Error(`${r.status} ${r.body}`);
			found += r.json.data.items.length;
			next = r.json.data.next;
		}
		console.log(`/api/users?q=, ${what}: ${found} found after ${pages} pages and ${since(at)} ms`);
	}
	const took = [];
	let rows = 0;
	for (let i = 0; i < Math.min(50, times); i++) {
		const at = performance.now();
		rows += d.ok(['-j', 'audit', 'query', '-u', `user${any(users)}`, '-n', '50']).split('\n').filter((l) => l.includes('"seq"')).length;
		took.push(performance.now() - at);
	}
	console.log(`idectl audit query -u NAME -n 50 (${(rows / took.length).toFixed(1)} records): ${figures(took)}`);
	console.log(`/api/admin/audit?user=NAME&limit=50: ${figures(await asked(d, cookie, () => `/api/admin/audit?user=user${any(users)}&limit=50`, times / 10))}`);
	const at = performance.now();
	d.ok(['user', 'show', name()]);
	console.log(`idectl user show: ${since(at)} ms; auth: ${memory(d)}`);
}

try {
	const d = await prepared();
	const store = `${d.data}/store`;
	if (process.env.FILLED) {
		fs.renameSync(process.env.FILLED, store);
	} else {
		console.log(`${accounts} accounts made at ${load('accounts_load', 'fill', store, accounts).perSecond}/s, ` +
			`${records} records at ${load('audit_load', 'fill', `${store}/audit`, records, users).perSecond}/s (not durably)`);
	}
	execFileSync('chown', ['-R', '_ideda:_ideda', store]);
	fs.chmodSync(store, 0o700);
	console.log(`the store ${GB(size(store))}, of which the trail ${GB(size(`${store}/audit`))}`);
	let at = performance.now();
	await d.start();
	console.log(`started for the first time: ready after ${since(at)} ms`);
	d.addUser('boss', 'admin');
	d.addUser('clerk'); // so often that the oldest sessions end
	at = performance.now();
	await d.stop({ keep: true });
	console.log(`stopped within ${since(at)} ms`);
	let cookie = await started(d, 'started');
	await look(d, cookie);
	const { users: count } = JSON.parse(d.ok(['-j', 'status']));
	if (count !== accounts + 2) throw new Error(`${count} accounts`);

	// Killed amid logins, which leave something to recover.
	for (let i = 0; i < 20; i++) await firstLogin(d, performance.now());
	at = performance.now();
	process.kill(d.role('auth')[0].pid, 'SIGKILL');
	await firstLogin(d, at);
	console.log(`auth killed: the next login answered after ${since(at)} ms; auth: ${memory(d)}`);
	for (let i = 0; i < 20; i++) await firstLogin(d, performance.now());
	for (const p of d.tree()) try { process.kill(p.pid, 'SIGKILL'); } catch { /* gone */ }
	await d.ended;
	cookie = await started(d, 'all of it killed, and started');
	await look(d, cookie, 200);

	// A backup, while a user works and people log in.
	const file = `${d.dir}/b.tar`;
	at = performance.now();
	let ended;
	const c = spawn(`${obj}/idectl`, ['-s', `${d.runtime}/ided.sock`, 'backup', file], { stdio: ['ignore', 'ignore', 'inherit'] });
	c.on('exit', (status) => { ended = { status, ms: performance.now() - at }; });
	const took = [], logins = [];
	while (!ended) {
		took.push(...await asked(d, cookie, () => `/api/users/${name()}`, 20));
		const t = performance.now();
		await firstLogin(d, t);
		logins.push(performance.now() - t);
	}
	if (ended.status !== 0) throw new Error('no backup');
	console.log(`a backup of ${GB(fs.statSync(file).size)} in ${(ended.ms / 1000).toFixed(1)} s; meanwhile /api/users/NAME: ${figures(took)}; logins: ${figures(logins)}; auth: ${memory(d)}`);
	await d.stop({ keep: true });

	const e = await prepared();
	fs.renameSync(file, `${e.dir}/b.tar`);
	at = performance.now();
	const r = spawnSync(`${obj}/idectl`, ['restore', '-d', e.data, `${e.dir}/b.tar`], { encoding: 'utf8' });
	if (r.status !== 0) throw new Error(r.stderr);
	console.log(`restored in ${(Number(since(at)) / 1000).toFixed(1)} s`);
	fs.rmSync(`${e.dir}/b.tar`);
	fs.rmSync(d.dir, { recursive: true, force: true });
	cookie = await started(e, 'started on what was restored, which it looks at whole');
	const restored = JSON.parse(e.ok(['-j', 'status'])).users;
	if (restored !== accounts + 2) throw new Error(`${restored} accounts restored`);
	await e.stop({ keep: true });
	await started(e, 'and once more');
} finally {
	for (const d of all) {
		await d.stop().catch(() => {});
		fs.rmSync(d.dir, { recursive: true, force: true });
	}
}
