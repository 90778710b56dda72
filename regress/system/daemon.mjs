// Starts a real ided on free loopback ports, in a folder of its own, and talks
// to it as users do.  Everything is gone after stop().
import { spawn, spawnSync, execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import dns from 'node:dns';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import https from 'node:https';
import { fileURLToPath } from 'node:url';
import { Answers } from './described.mjs';

// Where ided listens; some versions of node prefer ::1.
dns.setDefaultResultOrder('ipv4first');

export const top = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const obj = path.resolve(top, process.env.O || 'obj');
// A build with sanitizers (SAN=1).
export const sanitized = /obj-san\b/.test(obj);
// What a test puts on: with a sanitizer in it a worker takes some ten times the memory.
export const load = (n) => Math.ceil(n / (sanitized ? 5 : 1));
// Likewise how long a test waits for what takes long.
const patience = sanitized ? 3 : 1;
// What may stay behind, in kB: a sanitizer puts as much again around each small piece.
export const weight = (kb) => kb * (sanitized ? 2 : 1);
// Where memory is weighed: a sanitizer is not to keep what was freed.
export const frugal = { ASAN_OPTIONS: 'quarantine_size_mb=0:thread_local_quarantine_size_kb=0' };
export const idePath = process.env.IDEDIR || '/usr/local/lib/ided/vscode';
export const sleep = (ms) => new Promise((r) => setTimeout(r, ms));
export const password = 'Correct-Horse-7';

// None that the kernel gives to connections: while ided is away one of those could take
// it, or a client that comes again and again be connected to itself.
export function freePort(left = 20) {
	return new Promise((resolve, reject) => {
		const port = 10240 + crypto.randomInt(32768 - 10240);
		const s = net.createServer();
		s.on('error', (e) => (left > 0 ? resolve(freePort(left - 1)) : reject(e)));
		s.listen(port, '127.0.0.1', () => s.close(() => resolve(port)));
	});
}

// A thousand uids, of which no other daemon has one: sandboxes are told apart by them, and
// have their addresses after them.  Whose they are is told by a port that is listened on
// as long as this process is there, where nobody else listens.
function ownUids(left = 200) {
	return new Promise((resolve, reject) => {
		const n = crypto.randomInt(4000);
		const s = net.createServer().unref();
		s.on('error', (e) => (left > 0 ? resolve(ownUids(left - 1)) : reject(e)));
		s.listen(6000 + n, '127.255.255.252', () => resolve(200000 + n * 1000));
	});
}

export function makeCertificate(dir, name = 'server', kind = 'ec') {
	const alg = kind === 'ec' ? ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'] : ['rsa:2048'];
	execFileSync('openssl', ['req', '-x509', '-newkey', ...alg, '-nodes', '-keyout',
		`${dir}/${name}.key`, '-out', `${dir}/${name}.crt`, '-days', '30', '-subj',
		'/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
	{ stdio: 'ignore' });
	fs.chmodSync(`${dir}/${name}.key`, 0o600);
}

export async function waitFor(what, fn, ms = 30000, every = 50) {
	const end = Date.now() + ms * patience;
	for (;;) {
		const v = await fn();
		if (v) return v;
		if (Date.now() > end) throw new Error(`${what}: not within ${ms} ms`);
		await sleep(every);
	}
}

// Pids and titles of ided's processes, found by the parent's process group or
// the log's tag: children have sessions of their own, so by environment-free
// means: their open lock or channel is not visible, hence the recorded tree.
// Those that have ended are not among them, though a number lasts until somebody has
// waited for it: with first processes of sandboxes that is the machine's own, which may
// take its time.
export const processes = () => numbers().filter((p) => p.state !== 'Z' && p.state !== 'X');
export const zombies = () => numbers().filter((p) => p.state === 'Z');

function numbers() {
	const out = [];
	for (const d of fs.readdirSync('/proc')) {
		if (!/^\d+$/.test(d)) continue;
		try {
			const cmd = fs.readFileSync(`/proc/${d}/cmdline`, 'latin1').split('\0')[0];
			const status = fs.readFileSync(`/proc/${d}/status`, 'latin1');
			out.push({
				pid: Number(d), cmd,
				ppid: Number(/^PPid:\s+(\d+)/m.exec(status)[1]),
				uid: Number(/^Uid:\s+(\d+)/m.exec(status)[1]),
				seccomp: Number(/^Seccomp:\s+(\d+)/m.exec(status)[1]),
				capEff: /^CapEff:\s+(\w+)/m.exec(status)[1],
				nnp: Number(/^NoNewPrivs:\s+(\d+)/m.exec(status)[1]),
				name: /^Name:\s+(.*)/m.exec(status)[1],
				state: /^State:\s+(\w)/m.exec(status)[1],
			});
		} catch { /* it ended meanwhile */ }
	}
	return out;
}

// Whether a process has ended, be it that nobody has waited for it yet.
export function ended(pid) {
	try { return /^State:\s+[ZX]/m.test(fs.readFileSync(`/proc/${pid}/status`, 'latin1')); } catch { return true; }
}

// What no process of ours may leave in a log: a sanitizer's report, or word of a
// crash.  Ends by SIGKILL are the tests' own doing.
const report = /(ERROR|WARNING|SUMMARY): \w*Sanitizer|Sanitizer:DEADLYSIGNAL|Sanitizer CHECK failed|: runtime error: /;
const crash = /\bworker\.crash\b|\bprocess\.died\b.*\bsignal(=|":)(?!0\b|9\b)\d/;

export function reports(text, crashes = false) {
	const lines = text.split('\n');
	const first = lines.findIndex((l) => report.test(l) || (!crashes && crash.test(l)));
	if (first === -1) return null;
	return lines.slice(Math.max(0, first - 3), first + 40).map(named).join('\n');
}

// A sandboxed process can name no function in its report: "(/path/program+0x12ab)".
function named(line) {
	const at = /^\s+#\d+ 0x\w+ +\((\/.+)\+(0x[0-9a-f]+)\)/.exec(line);
	if (!at) return line;
	const r = spawnSync('addr2line', ['-Cfpse', at[1], at[2]], { encoding: 'utf8' });
	return r.status === 0 ? `${line} ${r.stdout.trim()}` : line;
}

// What a user's IDE has said.
const ideLogs = (home) => ['ide.log', 'ide.log.1'].flatMap((f) => {
	try { return [fs.readFileSync(`${home}/logs/${f}`, 'utf8')]; } catch { return []; }
});

export class Daemon {
	constructor(opts) {
		this.opts = opts;
		this.obj = opts.obj || obj;
		this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'ided-test-'));
		fs.chmodSync(this.dir, 0o711);
		this.data = `${this.dir}/data`;
		this.runtime = opts.runtime || `${this.dir}/run`;
		this.conf = `${this.dir}/ided.conf`;
		this.log = '';
		this.said = [];	// of users' IDEs
		this.told = '';	// on stderr, of earlier starts and of idectl
		this.env = {};
		this.answers = new Answers();
	}

	// Tests ask for more than people do: what one does not set is wide.
	ratelimit() {
		const own = this.opts.ratelimit || '';
		return ['login 1000', 'api 1000000', 'web 1000000', 'user 1000000']
			.filter((l) => !new RegExp(`\\b${l.split(' ')[0]}\\b`).test(own))
			.map((l) => `${l} per 15m`).concat(own).join('\n\t');
	}

	write(extra = this.opts.conf || '') {
		const o = this.opts;
		fs.writeFileSync(this.conf, `
data "${this.data}"
runtime "${this.runtime}"
log to stderr ${o.logFormat ? `format ${o.logFormat} ` : ''}level ${o.level || 'info'}
listen on ${o.address || '127.0.0.1'} port ${this.port} tls
tls { certificate "${this.dir}/server.crt"
	key "${this.dir}/server.key" }
prefork { ${o.prefork || 'spare 4'} }
auth { session ${o.session || 'lifetime 24h idle 2h max 50'}
	argon2 memory 19M passes 2 lanes 1 helpers 2
${o.auth || ''} }
ratelimit { ${this.ratelimit()} }
isolation ${o.strategy || 'namespace'} { network ${o.network || 'private'}
	uids ${this.uids}:1000
${o.isolation || ''} }
ide "code" { path "${o.idePath || idePath}"
	argument "--disable-telemetry"
	${o.ide || ''} }
${extra}
`);
	}

	async prepare() {
		this.port = this.opts.port || await freePort();
		this.uids = await ownUids();
		fs.mkdirSync(this.data, { mode: 0o711 });
		if (this.opts.certificateFor) this.opts.certificateFor(this.dir);
		else makeCertificate(this.dir, 'server', this.opts.certificate);
		this.write();
	}

	async start() {
		this.told += this.log;
		this.log = '';
		this.exit = null;
		const env = { PATH: process.env.PATH, LANG: 'C.UTF-8', ...this.env, ...(this.opts.env || {}) };
		// `enter' is a command that goes before: one that enters a network namespace.
		const argv = [...(this.opts.enter || []), `${this.obj}/ided`, '-d', '-f', this.conf, ...(this.opts.args || [])];
		this.child = spawn(argv[0], argv.slice(1),
			{ env, stdio: ['ignore', 'ignore', 'pipe'], cwd: '/' });
		this.child.stderr.setEncoding('utf8');
		this.child.stderr.on('data', (s) => {
			this.log += s;
			if (process.env.IDED_TEST_LOG) process.stderr.write(s);
		});
		this.closed = new Promise((r) => this.child.stderr.on('close', r));
		const ended = new Promise((r) => this.child.on('exit', (code, sig) => {
			this.exit = { code, sig };
			r();
		}));
		this.ended = ended;
		await waitFor('ided to be ready', () => {
			if (this.exit) throw new Error(`ided ended (${JSON.stringify(this.exit)}):\n${this.log}`);
			return /ided\.ready/.test(this.log);
		}).catch((e) => { throw new Error(`${e.message}\n${this.log}`); });
		return this;
	}

	get pid() { return this.child.pid; }

	// Processes of this very daemon: they descend from it, or were started with
	// its configuration, or hold its log's pipe as their descriptor 6.
	tree() {
		let pipe;
		try { pipe = fs.readlinkSync(`/proc/${this.pid}/fd/2`); } catch { return []; }
		return processes().filter((p) => {
			for (const fd of [6, 2]) {
				try {
					if (fs.readlinkSync(`/proc/${p.pid}/fd/${fd}`) === pipe &&
					    p.pid !== process.pid && /^ided/.test(p.name)) return true;
				} catch { /* gone, or has none */ }
			}
			return false;
		});
	}

	role(title) { return this.tree().filter((p) => p.cmd === `ided: ${title}`); }

	// What ided does is answered before its line of the log has come through the pipe.
	says(what) {
		return waitFor(`the log to say ${what}`, () => what.test(this.log));
	}

	ctl(args, input) {
		const r = spawnSync(`${this.obj}/idectl`, ['-s', `${this.runtime}/ided.sock`, ...args],
			{ input: input ?? '', encoding: 'utf8', timeout: 60000 });
		if (report.test(r.stderr)) this.told += r.stderr;
		return { status: r.status, out: r.stdout, err: r.stderr };
	}

	ok(args, input) {
		const r = this.ctl(args, input);
		if (r.status !== 0) throw new Error(`idectl ${args.join(' ')}: ${r.status} ${r.err}${r.out}\n${this.log.slice(-3000)}`);
		return r.out;
	}

	addUser(name, role = 'user', pw = password) {
		return this.ok(['user', 'add', '-r', role, name], `${pw}\n`);
	}

	// One request on a connection of its own, unless an agent is given.  What the API
	// answers is as it is described.
	async request(method, url, opts = {}) {
		const r = await this.ask(method, url, opts);
		this.answers.add({ method, url, status: r.status, headers: r.headers, body: r.body });
		return r;
	}

	describe() {
		return this.answers.describe(async () => {
			const r = await this.ask('GET', '/api/openapi.json', { headers: { accept: 'application/json' }, localAddress: '127.255.255.253' });
			if (r.status !== 200) throw new Error(`/api/openapi.json: ${r.status}`);
			return r.json;
		});
	}

	ask(method, url, { headers = {}, body, agent, localAddress } = {}) {
		return new Promise((resolve, reject) => {
			const req = https.request({
				host: '127.0.0.1', port: this.port, method, path: url,
				servername: 'localhost', rejectUnauthorized: false, localAddress,
				agent: agent ?? false,
				headers: { host: `localhost:${this.port}`, accept: 'text/html', ...headers },
			}, (res) => {
				const parts = [];
				res.on('data', (d) => parts.push(d));
				res.on('end', () => resolve({ status: res.statusCode, headers: res.headers, rawHeaders: res.rawHeaders,
					raw: Buffer.concat(parts), get body() { return this.raw.toString('utf8'); },
					get json() { return JSON.parse(this.body); } }));
				res.on('error', reject);
			});
			req.on('error', reject);
			if (body !== undefined) req.write(body);
			req.end();
		});
	}

	get origin() { return `https://localhost:${this.port}`; }

	post(url, body, { headers = {}, ...rest } = {}) {
		const form = typeof body === 'string' ? body : new URLSearchParams(body).toString();
		return this.request('POST', url, { ...rest, body: form, headers: {
			'content-type': 'application/x-www-form-urlencoded',
			'content-length': Buffer.byteLength(form), origin: this.origin, ...headers } });
	}

	async login(username, pw = password, opts = {}) {
		const r = await this.post('/login', { username, password: pw }, opts);
		const c = (r.headers['set-cookie'] || []).map((s) => s.split(';')[0])
			.find((s) => s.startsWith('__Host-ided='));
		if (r.status !== 303 && r.status !== 302) throw new Error(`login of ${username}: ${r.status} ${r.body}`);
		return c;
	}

	// A bare TLS socket, for what no client library would send.
	raw({ alpn = ['http/1.1'], localAddress, session, ...rest } = {}) {
		return new Promise((resolve, reject) => {
			const s = tls.connect({ host: '127.0.0.1', port: this.port, servername: 'localhost',
				rejectUnauthorized: false, ALPNProtocols: alpn, localAddress, session, ...rest });
			s.once('secureConnect', () => resolve(s));
			s.once('error', reject);
		});
	}

	// Send bytes, take all that comes until the end (or ms).
	async exchange(bytes, { ms = 20000, ...opts } = {}) {
		const s = await this.raw(opts);
		return new Promise((resolve) => {
			let out = '';
			const done = () => { clearTimeout(t); s.destroy(); resolve({ out, closed }); };
			let closed = false;
			const t = setTimeout(done, ms);
			s.on('data', (d) => { out += d.toString('latin1'); });
			s.on('error', () => { closed = true; done(); });
			s.on('close', () => { closed = true; done(); });
			s.on('end', () => { closed = true; done(); });
			s.write(Buffer.from(bytes, 'latin1'));
		});
	}

	// Fails if a sanitizer reported anything in any process, or one crashed; a
	// test whose crashes are its own says so (crashes: true).
	check() {
		const said = [this.told + this.log, ...this.said];
		for (const home of fs.existsSync(`${this.data}/home`) ? fs.readdirSync(`${this.data}/home`) : [])
			said.push(...ideLogs(`${this.data}/home/${home}`));
		for (const text of said) {
			const r = reports(text, this.opts.crashes);
			if (r) throw new Error(`a process of ided has gone wrong:\n${r}`);
		}
	}

	// The table of rules of a daemon that was killed, which would find it at its next
	// start.
	clearRules() {
		if (!fs.existsSync(`${this.runtime}/resolv.conf`)) return;
		const argv = [...(this.opts.enter || []), 'nft', 'delete', 'table', 'inet', this.table];
		spawnSync(argv[0], argv.slice(1));
	}

	get table() {
		let v = crypto.createHash('sha256').update(this.runtime).digest().readUInt32LE(0);
		let key = '';
		for (let i = 0; i < 4; i++, v = Math.floor(v / 36)) key += (v % 36).toString(36);
		return `ided_${key}`;
	}

	// Control groups of its sandboxes, those of spares among them, in each tree: they have
	// numbers, below a group that is named after the runtime folder.
	groups() {
		let h = 2166136261;
		for (const c of Buffer.from(this.runtime)) h = Math.imul(h ^ c, 16777619) >>> 0;
		return fs.readFileSync('/proc/self/mounts', 'latin1').split('\n').map((l) => l.split(' '))
			.filter(([, , type]) => type === 'cgroup' || type === 'cgroup2').flatMap(([, tree]) => {
				const own = `${tree}/ided-${h.toString(16).padStart(8, '0')}`;
				try { return fs.readdirSync(own).filter((n) => /^\d+$/.test(n)).map((n) => `${own}/${n}`); } catch { return []; }
			});
	}

	// That of a user's sandbox, or null; those that are of none that runs: of spares, and of
	// what has not gone yet.
	group(user) {
		const s = this.sandboxes().find((x) => x.user === user);
		try { return fs.readFileSync(`${this.runtime}/sandbox/${s.uid}/group`, 'latin1').trim(); } catch { return null; }
	}

	strangers() {
		const running = this.sandboxes().map((s) => this.group(s.user));
		return new Set(this.groups().map((g) => path.basename(g)).filter((n) => !running.includes(n)));
	}

	// Interfaces of its sandboxes on the host, by what they say of themselves.
	links() {
		return execFileSync('ip', ['-o', 'link'], { encoding: 'utf8' }).split('\n').filter((l) => l.includes(`alias ided ${this.runtime}`));
	}

	async stop({ keep = false } = {}) {
		let wrong;
		if (this.child && !this.exit) {
			if (this.answers.waiting.length > 0)
				await this.describe().catch((e) => { if (e.code === 'ERR_ASSERTION') wrong = e; });
			for (const s of this.sandboxes()) {
				this.said.push(...ideLogs(this.home(s.user)));
				this.ctl(['sandbox', 'stop', s.user]);
			}
			this.child.kill('SIGTERM');
			let timer;
			await Promise.race([this.ended, new Promise((r) => { timer = setTimeout(r, 30000); })]);
			clearTimeout(timer); // it would keep the test's process alive
			if (!this.exit) {
				for (const p of this.tree()) try { process.kill(p.pid, 'SIGKILL'); } catch { /* gone */ }
				this.child.kill('SIGKILL');
				await this.ended;
			}
			// What its children say last; a sandbox that lives on has no part in it.
			await Promise.race([this.closed, sleep(2000)]);
		}
		try {
			this.check();
			if (wrong) throw wrong;
		} finally {
			if (!keep) this.clearRules();
			if (!keep) fs.rmSync(this.dir, { recursive: true, force: true });
		}
	}

	// Where a user's files are, for root outside: a volume is mounted for its
	// sandbox only, and while that runs.
	home(user) {
		const s = this.sandboxes().find((x) => x.user === user);
		return s?.storage_by === 'volume' && s.pid > 0 ? `/proc/${s.pid}/root/home/${user}` : `${this.data}/home/${user}`;
	}

	// Sandboxes that wait for their user: both processes of each, of which its own first
	// one is the other's child.
	spares() {
		const all = processes();
		const iso = this.role('isolation')[0]?.pid;
		return all.filter((p) => p.cmd === 'ided: sandbox set-up' && p.ppid === iso)
			.map((p) => ({ setup: p.pid, first: all.find((q) => q.ppid === p.pid && q.cmd === 'ide-session')?.pid }))
			.filter((s) => s.first);
	}

	// So many of them, ready: each waits when it is in recvmsg(2).
	spare(n) {
		const waits = ({ first }) => { try { return fs.readFileSync(`/proc/${first}/syscall`, 'latin1').startsWith('47 '); } catch { return false; } };
		return waitFor(`${n} spares`, () => { const s = this.spares(); return s.length === n && s.every(waits) && s; });
	}

	sandboxes() {
		const r = this.ctl(['-j', 'sandbox', 'list']);
		try { return [].concat(r.status === 0 ? JSON.parse(r.out) : []); } catch { return []; }
	}
}

// What begins with a daemon, and takes it along if it fails: nobody else could end it,
// and as long as it runs the test's own process would.
export async function stoppedUnless(d, fn) {
	try { return await fn(); } catch (e) {
		await d.stop().catch(() => {});
		throw e;
	}
}

export async function startDaemon(opts = {}) {
	const d = new Daemon(opts);
	await d.prepare();
	return stoppedUnless(d, async () => {
		await d.start();
		for (const u of opts.users || []) {
			d.addUser(u, u === 'admin' ? 'admin' : 'user');
			// Lines that nobody reads would hold it up, where there are hundreds.
			await new Promise(setImmediate);
		}
		return d;
	});
}

// Under manager.py, which starts it again: its lines tell what happened.
export async function startManaged(opts = {}) {
	const d = new Daemon(opts);
	await d.prepare();
	const m = spawn('python3', [path.join(top, 'regress/system/manager.py'), `${d.dir}/notify`, `${obj}/ided`, '-d', '-f', d.conf],
		{ stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env.PATH, LANG: 'C.UTF-8' } });
	const lines = [];
	m.stdout.setEncoding('utf8').on('data', (s) => lines.push(...s.split('\n').filter(Boolean)));
	m.stderr.setEncoding('utf8').on('data', (s) => { d.log += s; });
	const gone = new Promise((r) => m.on('exit', r));
	const count = (what) => lines.filter((l) => l.startsWith(`${what} `)).length;
	const stop = async ({ keep = false } = {}) => {
		for (const s of d.sandboxes()) d.ctl(['sandbox', 'stop', s.user]);
		m.kill('SIGTERM');
		await gone;
		if (!keep) fs.rmSync(d.dir, { recursive: true, force: true });
	};
	await waitFor('ided to be ready', () => count('ready') > 0 && count('stored') > 0)
		.catch(async (e) => { await stop(); throw new Error(`${e.message}\n${lines.join('\n')}\n${d.log}`); });
	for (const u of opts.users || []) d.addUser(u);
	return { d, lines, count, stop, gone };
}

// A folder as `make ide` leaves it, with a small server in VS Code's place, for
// what is not about VS Code.
export function lightIde() {
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'ided-light-'));
	fs.chmodSync(dir, 0o755);
	for (const sub of ['node/bin', 'server/out', 'static/vscode', 'static/front'])
		fs.mkdirSync(`${dir}/${sub}`, { recursive: true });
	fs.copyFileSync(`${obj}/regress/vm/ide`, `${dir}/node/bin/node`);
	fs.chmodSync(`${dir}/node/bin/node`, 0o755);
	fs.writeFileSync(`${dir}/server/out/server-main.js`, '// not read\n');
	fs.writeFileSync(`${dir}/product`, `quality=stable\ncommit=${'0'.repeat(40)}\nversion=1.0.0\n`);
	return dir;
}
