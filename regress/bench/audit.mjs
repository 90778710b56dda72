// The audit trail's figures: durable records a second, by how many wait at a time; and
// with many records, the last 50 of one user.
//
//	O=obj node regress/bench/audit.mjs [records]
//
// DIR names the folder to work in: the figures are those of its disk.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const obj = path.resolve(process.env.O || 'obj');
const records = Number(process.argv[2] || 10_000_000);
const dir = fs.mkdtempSync(path.join(process.env.DIR || os.tmpdir(), 'ided-audit-'));
const load = (...args) => JSON.parse(execFileSync(`${obj}/regress/bench/audit_load`, args.map(String), { encoding: 'utf8' }));

try {
	console.log('durable records a second, store and file, one group commit a turn:');
	for (const clients of [1, 8, 64, 256]) {
		const r = load('write', `${dir}/write`, clients, 5);
		console.log(`  ${String(clients).padStart(4)} at a time: ${String(r.perSecond).padStart(7)}/s, a turn ${r.turnMs} ms, the longest ${r.worstMs} ms`);
	}
	const users = 100_000;
	const f = load('fill', `${dir}/fill`, records, users);
	console.log(`${f.records} records of ${users} users written at ${f.perSecond}/s`);
	const q = load('query', `${dir}/fill`, users);
	console.log(`opened in ${q.openMs} ms; the last 50 of one user (${q.rows} on average): median ${q.p50} ms, p99 ${q.p99} ms, worst ${q.worst} ms`);
} finally {
	fs.rmSync(dir, { recursive: true, force: true });
}
