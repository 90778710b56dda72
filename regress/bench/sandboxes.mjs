// Sandboxes: from a request to the first byte of a small server inside, cold and
// from a spare, which is the start and what the same request takes of one that runs;
// what ided adds in memory; many at once; adoption at a restart.  Figures, not tests:
// nothing here fails.  BASE names the programs of another version, for turns with it.
import fs from 'node:fs';
import https from 'node:https';
import { startDaemon, lightIde, processes, sleep } from '../system/daemon.mjs';

const N = Number(process.env.USERS || 40);
const MANY = Number(process.env.MANY || 300);
const ADOPT = Number(process.env.ADOPT || 100);
const PARTS = (process.env.PARTS || 'starts,many').split(',');
const median = (a) => [...a].sort((x, y) => x - y)[a.length >> 1];
const p90 = (a) => [...a].sort((x, y) => x - y)[Math.floor(a.length * 0.9)];
const spread = (a) => `median ${median(a).toFixed(1)} ms, p90 ${p90(a).toFixed(1)} ms, least ${Math.min(...a).toFixed(1)} ms`;
const ready = (d) => [...d.log.matchAll(/sandbox\.started.*?ms=(\d+)/g)].map((m) => Number(m[1]));
const name = (i) => `u${String(i).padStart(3, '0')}`;
const ms = async (fn) => { const t = process.hrtime.bigint(); await fn(); return Number(process.hrtime.bigint() - t) / 1e6; };
const pss = (pid) => Number(/^Pss:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))[1]);

const ide = lightIde();
const options = { idePath: ide, prefork: 'spare 16\n\tmax 2048\n\tper-source 1024\n\tstartups 1024:30:2048',
	auth: '', level: 'info' };

async function client(d, user) {
	const cookie = await d.login(user);
	const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
	const get = (url) => d.request('GET', url, { headers: { cookie }, agent });
	await get('/'); // as who comes does: a volume is then made ready
	return { get, end: () => agent.destroy() };
}

// The homes are there: what a first start takes beyond that is told apart.  With BASE
// each user opens the IDE of both versions, one after the other.  What the same request
// takes of a server that runs is looked at after the same pause.
async function starts(spare, storage) {
	const pause = () => sleep(250);
	const runs = [];
	try {
		for (const obj of [undefined, process.env.BASE].slice(0, process.env.BASE ? 2 : 1)) {
			const runtime = fs.mkdtempSync('/dev/shm/ided-bench-');
			const run = { runtime, took: [], alone: [], stopped: [] };
			runs.push(run);
			run.d = await startDaemon({ ...options, runtime, ...(obj ? { obj } : {}), isolation: `spare ${spare}\n\tstorage 5G by ${storage}`, users: [...Array(N).keys()].map(name) });
			for (let i = 0; i < N; i++) {
				await sleep(spare ? 250 : 20);
				run.d.ok(['sandbox', 'exec', name(i), '--', 'true']);
				run.d.ok(['sandbox', 'stop', name(i)]);
			}
			await sleep(10);
			run.first = ready(run.d);
			run.d.log = '';
		}
		for (let i = 0; i < N; i++)
			for (const run of i % 2 ? [...runs].reverse() : runs) {
				const c = await client(run.d, name(i));
				const page = () => ms(async () => { const r = await c.get('/ide/'); if (r.status !== 200) throw new Error(`${r.status}`); });
				const after = async () => { await pause(); return page(); };
				run.took.push(await after());
				run.alone.push(run.took.at(-1) - Math.min(await after(), await after()));
				c.end();
				run.stopped.push(await ms(() => run.d.ctl(['sandbox', 'stop', name(i)])));
			}
	} finally {
		for (const run of runs) {
			await run.d?.stop();
			fs.rmSync(run.runtime, { recursive: true, force: true });
		}
	}
	for (const [i, run] of runs.entries())
		console.log(`${i ? 'BASE, ' : ''}${spare ? 'from a spare' : 'cold'}, storage by ${storage}: request to first byte, ${spread(run.took)}; the start in it, ${spread(run.alone)}; sandbox ready median ${median(ready(run.d))} ms, of a new user ${median(run.first)} ms; its end ${median(run.stopped).toFixed(1)} ms (${N} users)`);
	if (runs.length > 1)
		console.log(`  by BASE: request ${(median(runs[0].took) / median(runs[1].took)).toFixed(2)}, the start in it ${(median(runs[0].alone) / median(runs[1].alone)).toFixed(2)}`);
}

async function many() {
	const d = await startDaemon({ ...options, isolation: 'spare 4\n\tmemory 64M\n\tprocesses 64', users: [...Array(MANY).keys()].map(name) });
	try {
		// Its log is a pipe that we have to read.
		const t = await ms(async () => { for (let i = 0; i < MANY; i++) { d.ok(['sandbox', 'exec', name(i), '--', 'true']); await sleep(1); } });
		const boxes = d.sandboxes();
		const added = boxes.map((b) => pss(b.pid));
		console.log(`${boxes.length} sandboxes at once, started in ${(t / 1000).toFixed(1)} s (${(t / MANY).toFixed(1)} ms each, idectl's own start included)`);
		console.log(`what ided adds for each: ide-session ${median(added)} kB (PSS), isolation ${(pss(d.role('isolation')[0].pid) / MANY).toFixed(1)} kB`);
		// The other ones go, so that as many are adopted as are asked for.
		for (const b of boxes.slice(ADOPT)) { d.ctl(['sandbox', 'stop', b.user]); await sleep(1); }
		d.child.kill('SIGKILL');
		await d.ended;
		while (processes().some((p) => p.ppid === d.pid)) await sleep(5);
		await d.start();
		const stamp = (re) => Date.parse(re.exec(d.log)?.[1]);
		const lines = [...d.log.matchAll(/^(\S+Z) .*sandbox\.adopted/gm)].map((m) => Date.parse(m[1]));
		console.log(`${lines.length} sandboxes adopted in ${lines.at(-1) - lines[0]} ms; ready ${stamp(/^(\S+Z) .*ided\.ready/m) - lines[0]} ms after the first`);
	} finally { await d.stop(); }
}

try {
	for (const storage of PARTS.includes('starts') ? ['accounting', 'volume'] : [])
		for (const spare of [0, 4]) await starts(spare, storage);
	if (PARTS.includes('many')) await many();
} finally {
	fs.rmSync(ide, { recursive: true, force: true });
}
