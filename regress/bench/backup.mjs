// A backup of a store in use and its restore: how long each takes, how large it is, what
// another user's requests and logins feel of it, and how long ided takes to start on what
// was restored, which it looks at whole once.
//
//	O=obj node regress/bench/backup.mjs [accounts [records]]
//
// ROUNDS says how many backups, each with its restore; TMPDIR names the folder to work in.
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import https from 'node:https';
import { Daemon, obj, password, sleep, waitFor } from '../system/daemon.mjs';

const accounts = Number(process.argv[2] || 100_000);
const records = Number(process.argv[3] || 200_000);
const rounds = Number(process.env.ROUNDS || 3);
const quantile = (a, q) => [...a].sort((x, y) => x - y)[Math.floor(q * (a.length - 1))];
const figures = (a) => `median ${quantile(a, 0.5).toFixed(1)} ms, p99 ${quantile(a, 0.99).toFixed(1)}, worst ${Math.max(...a).toFixed(1)} (${a.length})`;
const load = (tool, ...args) => JSON.parse(execFileSync(`${obj}/regress/bench/${tool}`, args.map(String), { encoding: 'utf8' }));
const median = (a) => quantile(a, 0.5);

const all = [];
async function prepared() {
	const d = new Daemon({ conf: 'audit { store keep 36500d }', ratelimit: 'login 1000000 per 15m' });
	all.push(d);
	await d.prepare();
	// The loaders count uids from 200000.
	fs.writeFileSync(d.conf, fs.readFileSync(d.conf, 'utf8').replace(/uids \d+:1000/, 'uids 200000:4000000'));
	return d;
}
// While it has not ended, and at least for so long.
async function meanwhile(d, cookie, on) {
	const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
	const asked = [], logins = [];
	const end = performance.now() + 1000;
	for (let i = 0; on() || performance.now() < end || logins.length === 0; i++) {
		const at = performance.now();
		if (i % 20 === 19) {
			await d.login('clerk', password);
			logins.push(performance.now() - at);
		} else {
			const r = await d.ask('GET', '/api/users/boss', { agent, headers: { cookie, accept: 'application/json' } });
			if (r.status !== 200) throw new Error(`${r.status} ${r.body}`);
			asked.push(performance.now() - at);
		}
		await sleep(2);
	}
	agent.destroy();
	return `requests: ${figures(asked)}; logins: ${figures(logins)}`;
}
const run = (args) => new Promise((resolve, reject) => {
	const at = performance.now();
	spawn(`${obj}/idectl`, args, { stdio: ['ignore', 'ignore', 'inherit'] })
		.on('exit', (status) => (status === 0 ? resolve(performance.now() - at) : reject(new Error(`idectl ${args.join(' ')}: ${status}`))));
});

try {
	const d = await prepared();
	const store = `${d.data}/store`;
	load('accounts_load', 'fill', store, accounts);
	load('audit_load', 'fill', `${store}/audit`, records, accounts);
	execFileSync('chown', ['-R', '_ideda:_ideda', store]);
	await d.start();
	d.addUser('boss', 'admin');
	d.addUser('clerk'); // so often that the oldest sessions end
	const cookie = await d.login('boss');
	console.log(`${accounts} accounts with a session each, ${records} records; without a backup, ${await meanwhile(d, cookie, () => false)}`);
	const took = [], back = [];
	let size;
	for (let i = 0; i < rounds; i++) {
		const file = `${d.dir}/b${i}.tar`, to = `${d.dir}/to${i}`;
		let on = true;
		const b = run(['-s', `${d.runtime}/ided.sock`, 'backup', file]).finally(() => { on = false; });
		const felt = await meanwhile(d, cookie, () => on);
		took.push(await b);
		size = fs.statSync(file).size;
		fs.mkdirSync(to, { mode: 0o711 });
		back.push(await run(['restore', '-d', to, file]));
		console.log(`a backup of ${(size / 1e6).toFixed(0)} MB in ${took.at(-1).toFixed(0)} ms, restored in ${back.at(-1).toFixed(0)} ms; meanwhile ${felt}`);
		if (i + 1 === rounds) break;
		fs.rmSync(file);
		fs.rmSync(to, { recursive: true });
	}
	console.log(`median: a backup ${median(took).toFixed(0)} ms (${(size / 1e3 / median(took)).toFixed(0)} MB/s), a restore ${median(back).toFixed(0)} ms (${(size / 1e3 / median(back)).toFixed(0)} MB/s)`);
	const e = await prepared();
	for (const x of ['store', 'keys']) fs.renameSync(`${d.dir}/to${rounds - 1}/${x}`, `${e.data}/${x}`);
	await d.stop();
	for (const what of ['on what was restored, which it looks at whole', 'once more']) {
		const at = performance.now();
		// It may take longer than start() waits.
		await e.start().catch((err) => { if (e.exit) throw err; });
		await waitFor('ided', () => /ided\.ready/.test(e.log), 900000, 10);
		const ready = performance.now() - at;
		await e.login('boss');
		const { users } = JSON.parse(e.ok(['-j', 'status']));
		if (users !== accounts + 2) throw new Error(`${users} accounts`);
		console.log(`started ${what}: ready after ${ready.toFixed(0)} ms`);
		await e.stop({ keep: true });
	}
} finally {
	for (const d of all) await d.stop().catch(() => {});
}
