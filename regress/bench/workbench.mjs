// VS Code in Chromium, from ided and from code-server itself, alternating: the bytes
// of a first load and of a repeated one, the server's processor time for it, the time
// to the workbench at 20 Mbit/s and 20 ms, and the memory of one user.  Both have the same VS
// Code, the same Node and the same certificate, which the browser trusts.  The line is
// slow itself: what the browser can be told to slow down leaves early hints out.
// Figures, not tests: nothing here fails.
//
// ROUNDS says how many, ONLY which of them (pages, memory).
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { sleep, startDaemon, top } from '../system/daemon.mjs';
import { cpu, loadNow, pss, say } from './beside.mjs';
import { startCodeServer, version } from './code-server.mjs';
import { openLink } from './link.mjs';

execFileSync(`${top}/etc/install-deps`, ['build', 'check', 'bench'], { stdio: 'inherit' });
if (!fs.existsSync(`${top}/regress/browser/node_modules`))
	execFileSync('npm', ['ci', '--silent', '--ignore-scripts'], { cwd: `${top}/regress/browser`, stdio: 'inherit' });
const { openTrusting } = await import('../browser/person.mjs');

const rounds = Number(process.env.ROUNDS || 5);
const only = (process.env.ONLY || '').split(',').filter(Boolean);
const wanted = (name) => only.length === 0 || only.includes(name);
const QUIET = 3000; // ms without a byte: all that belongs to a load has come,
const LATE = 60000; // or is not waited for any more
const IDLE = 30000; // ms after which what a load has left behind is swept

async function settled(c) {
	const end = Date.now() + LATE;
	for (let last = -1; last !== c.bytes && Date.now() < end; await sleep(QUIET)) last = c.bytes;
}

const sum = (a) => a.reduce((n, v) => n + v, 0);
const spent = (pid, children) => { try { const c = cpu(pid, children); return c.user + c.system; } catch { return 0; } };
const weigh = (pid) => { try { return pss(pid); } catch { return 0; } };

const d = await startDaemon({ users: ['ann'], ide: 'argument "--disable-workspace-trust"' });
let cs;
let browser;

// The processes of the user's sandbox, by its namespace.
function sandboxed() {
	const of = (pid) => { try { return fs.readlinkSync(`/proc/${pid}/ns/pid`); } catch { return ''; } };
	const ns = of(d.sandboxes()[0].pid);
	return fs.readdirSync('/proc').filter((p) => /^\d+$/.test(p) && of(p) === ns).map(Number);
}
const says = (pid) => { try { return fs.readFileSync(`/proc/${pid}/cmdline`, 'latin1'); } catch { return ''; } };

const cookie = await d.login('ann');
const ided = { name: 'ided', port: d.port, path: '/ide/?folder=/home/ann/workspaces',
	gateway: () => d.tree().map((p) => p.pid), workers: () => spent(d.role('zygote')[0].pid, true),
	user: sandboxed,
	async context() {
		const c = await browser.newContext({ viewport: { width: 1280, height: 800 } });
		const [name, value] = cookie.split('=');
		await c.addCookies([{ name, value, url: d.origin, secure: true, httpOnly: true, sameSite: 'Lax' }]);
		return c;
	} };
const theirs = { name: 'code-server', gateway: () => [], workers: () => 0,
	user: () => cs.tree().map((p) => p.pid),
	context: () => browser.newContext({ viewport: { width: 1280, height: 800 } }) };

// What serves the page: the gateway and the user's VS Code server, but not what that
// starts for an open window (extension host, watcher, terminals), which is the same.
const helper = (pid) => /--type=|extensionHost|fileWatcher|ptyHost/.test(says(pid));
// What a process is, for a reader.
const role = (pid) => /--type=(\w+)|(server-main|entry|ide-session)/.exec(says(pid))?.slice(1).find(Boolean) ?? says(pid).split('\0')[0].split('/').pop();
const serving = (side) => side.workers() + sum([...side.gateway(), ...side.user().filter((p) => !helper(p))].map((p) => spent(p)));
const gate = () => ided.workers() + sum(ided.gateway().map((p) => spent(p)));

// Opens it in a new tab, and tells the ms until a person can work.
async function load(side, context, port) {
	const page = await context.newPage();
	const session = await context.newCDPSession(page);
	const kept = new Set();
	const fetched = [];
	session.on('Network.requestServedFromCache', (e) => kept.add(e.requestId));
	session.on('Network.responseReceived', (e) => {
		const r = e.response;
		if (/\/static\//.test(r.url) && !r.fromDiskCache && !r.fromServiceWorker && !kept.has(e.requestId))
			fetched.push(`${r.status} ${r.url}`);
	});
	await session.send('Network.enable');
	const since = process.hrtime.bigint();
	await page.goto(`https://localhost:${port}${side.path}`, { waitUntil: 'commit' });
	await page.waitForSelector('div.monaco-workbench', { timeout: 120000 });
	await page.waitForSelector('.explorer-folders-view, .explorer-viewlet', { timeout: 120000 });
	const ms = Number(process.hrtime.bigint() - since) / 1e6;
	return { page, ms, fetched };
}

async function pages() {
	const rows = { cold: [[], []], bytes: [[], []], cpu: [[], []], warm: [[], []], again: [[], []] };
	const gateway = [];
	const counters = [];
	for (const side of [ided, theirs]) counters.push(await openLink(side.port));
	for (let i = 0; i < rounds; i++)
		for (const [k, side] of [ided, theirs].entries()) {
			const c = counters[k];
			const context = await side.context();
			const open = async (slow) => {
				c.slow(slow);
				const one = await load(side, context, c.port);
				await settled(c);
				c.slow(false);
				await one.page.close();
				return one;
			};
			c.bytes = 0;
			const before = serving(side);
			const front = gate();
			const cold = await open(true);
			rows.cold[k].push(cold.ms);
			rows.bytes[k].push(c.bytes / 1e6);
			rows.cpu[k].push((serving(side) - before) / 1e6);
			if (k === 0) gateway.push((gate() - front) / 1e6);
			// The second time the service worker keeps what it sees; then it is warm.
			await open(false);
			c.bytes = 0;
			const warm = await open(true);
			rows.warm[k].push(warm.ms);
			rows.again[k].push(c.bytes / 1e6);
			await context.close();
			if (i === 0)
				console.log(`${side.name}, warm: static files from the server: ${warm.fetched.length}${warm.fetched.map((u) => `\n  ${u}`).join('')}`);
		}
	for (const c of counters) c.close();
	say('cold: MB from the server', ...rows.bytes, theirs.name);
	say('  without what each load takes', ...rows.bytes.map((b, k) => b.map((v, i) => v - rows.again[k][i])), theirs.name);
	say('cold: s of processor time, serving', ...rows.cpu, theirs.name);
	say('  of which ided\'s gateway', gateway, rows.cpu[1], theirs.name);
	say('cold: ms to the workbench', ...rows.cold, theirs.name);
	say('warm: MB from the server', ...rows.again, theirs.name);
	say('warm: ms to the workbench', ...rows.warm, theirs.name);
}

// One at a time: what both have in memory would count half for each.
async function memory() {
	const gateway = () => sum(ided.gateway().map(weigh)) / 1024;
	const opened = async (side) => {
		const context = await side.context();
		await load(side, context, side.port);
		await sleep(IDLE);
		const mb = sum([...side.gateway(), ...side.user()].map(weigh)) / 1024;
		console.log(`${side.name}: ${side.user().map((p) => `${role(p)} ${(weigh(p) / 1024).toFixed(0)}`).join(', ')}`);
		return { mb, close: () => context.close() };
	};
	const before = gateway();
	const ours = await opened(ided);
	console.log(`the gateway's own share: ${(gateway() - before).toFixed(1)} MB for a user, beside ${before.toFixed(1)} MB that it has for all`);
	await ours.close();
	d.ok(['sandbox', 'stop', 'ann']);
	await other();
	const its = await opened(theirs);
	await its.close();
	say('one user, MB (PSS)', [ours.mb], [its.mb], theirs.name);
}

async function other() {
	if (cs) return;
	cs = await startCodeServer(d);
	theirs.port = cs.port;
	theirs.path = `/?folder=${cs.folder}`;
}

try {
	browser = await openTrusting(d);
	console.log(`${rounds} rounds, alternating, beside code-server ${version}; load ${loadNow()}`);
	if (wanted('memory')) await memory();
	await other();
	// Both servers have been opened once.
	for (const side of [ided, theirs]) {
		const context = await side.context();
		await load(side, context, side.port);
		await context.close();
	}
	if (wanted('pages')) await pages();
	console.log(`load ${loadNow()}`);
} finally {
	await browser?.close();
	await cs?.stop();
	await d.stop();
}
