// The accounts' store with a million accounts and as many sessions: how long it takes to
// open, to find one, what it takes of memory; and the same after kill -9 in the middle of
// logins, which recovery has to make good.
//
//	O=obj node regress/bench/accounts.mjs [accounts]
//
// DIR names the folder to work in: the figures are those of its disk.
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { startDaemon } from '../system/daemon.mjs';

const obj = path.resolve(process.env.O || 'obj');
const accounts = Number(process.argv[2] || 1_000_000);
const dir = fs.mkdtempSync(path.join(process.env.DIR || os.tmpdir(), 'ided-accounts-'));
const tool = `${obj}/regress/bench/accounts_load`;
const load = (...args) => JSON.parse(execFileSync(tool, args.map(String), { encoding: 'utf8' }));

function show(r) {
	console.log(`  opened in ${r.openMs} ms: ${r.accounts} accounts, ${r.sessions} sessions; ${r.rssMB} MB resident`);
	for (const by of ['name', 'email', 'uid', 'session'])
		console.log(`  by ${by.padEnd(8)} median ${r[by].p50} ms, p99 ${r[by].p99} ms, worst ${r[by].worst} ms`);
	console.log(`  a slice of the check: median ${r.slice.p50} ms, p99 ${r.slice.p99} ms; closed in ${r.closeMs} ms`);
}

// ided itself, with that store in the place of its own: from its start until it serves.
async function daemon() {
	const d = await startDaemon();
	let empty = 0;
	try {
		await d.stop({ keep: true });
		const start = async () => { const t = performance.now(); await d.start(); return performance.now() - t; };
		empty = await start();
		await d.stop({ keep: true });
		const { uid, gid } = fs.statSync(`${d.data}/store`);
		fs.rmSync(`${d.data}/store`, { recursive: true });
		fs.mkdirSync(`${d.data}/store`, { mode: 0o700 });
		for (const f of fs.readdirSync(`${dir}/store`)) {
			fs.copyFileSync(`${dir}/store/${f}`, `${d.data}/store/${f}`);
			fs.chownSync(`${d.data}/store/${f}`, uid, gid);
		}
		fs.chownSync(`${d.data}/store`, uid, gid);
		const full = await start();
		const status = JSON.parse(d.ok(['-j', 'status']));
		const t = performance.now();
		d.ok(['user', 'show', 'user0000007']);
		const rss = /^VmRSS:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${d.role('auth')[0].pid}/status`, 'latin1'))[1];
		console.log(`ided, from its start to its service: ${full.toFixed(0)} ms with ${status.users} accounts, ${empty.toFixed(0)} with none; ` +
			`auth ${(rss / 1024).toFixed(1)} MB; idectl user show in ${(performance.now() - t).toFixed(0)} ms`);
	} finally {
		await d.stop();
	}
}

try {
	const f = load('fill', `${dir}/store`, accounts);
	console.log(`${f.accounts} accounts with a session each, made at ${f.perSecond}/s (not durably)`);
	show(load('lookup', `${dir}/store`, accounts, 20000));
	const { allMs, checkMs } = load('check', `${dir}/store`);
	console.log(`  every record looked at: all at once in ${(allMs / 1000).toFixed(1)} s, a little at a time in ${(checkMs / 1000).toFixed(1)} s`);
	await daemon();
	const k = spawnSync(tool, ['dirty', `${dir}/store`, String(accounts), '40'], { encoding: 'utf8' });
	const r = JSON.parse(k.stdout);
	console.log(`the writes of ${r.logins} logins, ${r.perSecond}/s, then kill -9:`);
	show(load('lookup', `${dir}/store`, accounts, 20000));
} finally {
	fs.rmSync(dir, { recursive: true, force: true });
}
