// Side by side with nginx (2 workers, TLS, the same certificate), alternating:
// keep-alive requests/s for a small static file and for a proxied one, new TLS
// connections/s, memory per idle TLS connection, and the time from a request to
// a started sandbox.  Figures, not tests: nothing here fails.
//
// ROUNDS, SECONDS_EACH and CONNECTIONS say how much, ONLY which of them
// (sandbox, static, proxied, connections, memory; several with commas).
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import { startDaemon, freePort, idePath, sleep, waitFor, top } from '../system/daemon.mjs';

execFileSync(`${top}/etc/install-deps`, ['build', 'bench'], { stdio: 'inherit' });
const rounds = Number(process.env.ROUNDS || 5);
const seconds = Number(process.env.SECONDS_EACH || 4);
const number = Number(process.env.CONNECTIONS || 3000);
const only = (process.env.ONLY || '').split(',').filter(Boolean);
const wanted = (name) => only.length === 0 || only.includes(name);
const median = (a) => [...a].sort((x, y) => x - y)[a.length >> 1];
const fmt = (n) => n >= 100 ? n.toFixed(0) : n.toFixed(2);

// A small static file that needs no login, so that both sides do the same.
function smallFile() {
	const root = `${idePath}/static/front`;
	for (const f of fs.readdirSync(root, { recursive: true })) {
		if (!/\.(svg|png|html|css|js)$/.test(f)) continue;
		const st = fs.statSync(`${root}/${f}`);
		if (st.size > 500 && st.size < 8000) return { url: f, size: st.size };
	}
	throw new Error('no small file');
}

async function nginx(d, sock) {
	const port = await freePort();
	const dir = `${d.dir}/nginx`;
	fs.mkdirSync(dir, { mode: 0o755 });
	fs.writeFileSync(`${dir}/nginx.conf`, `
daemon off; worker_processes 2; user root; pid ${dir}/pid; error_log ${dir}/error.log;
events { worker_connections 4096; }
http { access_log off; sendfile on; keepalive_requests 1000000; default_type application/octet-stream;
	client_body_temp_path ${dir}; proxy_temp_path ${dir}; fastcgi_temp_path ${dir};
	uwsgi_temp_path ${dir}; scgi_temp_path ${dir};
	upstream ide { server unix:${sock}; keepalive 64; }
	server { listen 127.0.0.1:${port} ssl; server_name localhost;
		ssl_certificate ${d.dir}/server.crt; ssl_certificate_key ${d.dir}/server.key;
		ssl_protocols TLSv1.2 TLSv1.3;
		location /_static/ { alias ${idePath}/static/front/; }
		location / { proxy_pass http://ide; proxy_http_version 1.1;
			proxy_set_header Connection ""; proxy_set_header Host $http_host; } } }
`);
	const child = spawn('nginx', ['-c', `${dir}/nginx.conf`, '-e', `${dir}/error.log`], { stdio: 'ignore' });
	await sleep(700);
	return { port, child, pids: () => execFileSync('pgrep', ['-P', String(child.pid)],
		{ encoding: 'utf8' }).trim().split('\n').map(Number) };
}

function run(cmd, args) {
	return new Promise((resolve, reject) => {
		const c = spawn(cmd, args, { stdio: ['ignore', 'pipe', 'pipe'] });
		let out = '';
		c.stdout.on('data', (b) => { out += b; });
		c.stderr.on('data', (b) => { out += b; });
		c.on('error', reject);
		c.on('exit', () => resolve(out));
	});
}

async function keepalive(port, url, cookie) {
	// h2load speaks HTTP/1.1 as well; 16 clients on one thread.
	const args = ['--h1', '-D', String(seconds), '-c', '16', '-t', '1'];
	if (cookie) args.push('-H', `Cookie: ${cookie}`);
	const out = await run('h2load', [...args, `https://127.0.0.1:${port}${url}`]);
	const m = /finished in .*?, ([\d.]+) req\/s/.exec(out);
	if (!m || !/status codes: \d+ 2xx, 0 3xx, 0 4xx, 0 5xx/.test(out)) throw new Error(out);
	return Number(m[1]);
}

// New connections, each for one request; p99 in ms goes to late.
async function connections(port, url, late) {
	const out = await run('ab', ['-q', '-n', String(number), '-c', '10', `https://127.0.0.1:${port}${url}`]);
	const failed = Number(/Failed requests:\s+(\d+)/.exec(out)?.[1] ?? -1);
	if (failed !== 0) throw new Error(out);
	late.push(Number(/ 99%\s+(\d+)/.exec(out)[1]));
	return Number(/Requests per second:\s+([\d.]+)/.exec(out)[1]);
}

// Processor time in microseconds; children counts those that were waited for.
const tick = 1e6 / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
function cpu(pid, children = false) {
	const f = fs.readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\) /, '').split(' ');
	const [user, system] = children ? [13, 14] : [11, 12];
	return { user: Number(f[user]) * tick, system: Number(f[system]) * tick };
}

// What each of these processes spent per connection since `before'.
const spent = (now, before, n) => Object.keys(now).map((k) => {
	const u = (now[k].user - before[k].user) / n;
	const s = (now[k].system - before[k].system) / n;
	return `${k} ${(u + s).toFixed(0)} (${u.toFixed(0)}+${s.toFixed(0)})`;
}).join(', ');

const pss = (pid) => Number(/^Pss:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))[1]);

async function compare(name, ours, theirs) {
	const a = [];
	const b = [];
	for (let i = 0; i < rounds; i++) {
		a.push(await ours());
		b.push(await theirs());
	}
	const ratio = median(a.map((v, i) => v / b[i]));
	console.log(`${name.padEnd(34)} ided ${fmt(median(a)).padStart(8)}  nginx ${fmt(median(b)).padStart(8)}  ratio ${ratio.toFixed(2)}`);
}

const d = await startDaemon({ users: ['ann'], level: 'info',
	prefork: 'spare 32\n\tmax 1024\n\tper-source 512\n\tstartups 512:30:1024' });
const small = smallFile();
const url = `/_static/${small.url}`;
let ng;

async function sandbox(cookie) {
	const t0 = process.hrtime.bigint();
	const first = await d.request('GET', '/ide/version', { headers: { cookie } });
	console.log(`first request to VS Code: ${first.status} after ${Number(process.hrtime.bigint() - t0) / 1e6 | 0} ms`);
	const started = /sandbox\.start\S*.*?(?:ms|took)="?(\d+)/.exec(d.log);
	console.log(`sandbox made ready in ${started ? started[1] : '?'} ms (from the log)`);
	return `/proc/${d.sandboxes()[0].pid}/root/run/ide/code.sock`;
}

// Both have two cores, so it is processor time that decides.
async function compareConnections() {
	const one = (role) => d.role(role)[0].pid;
	const ours = () => ({ master: cpu(d.pid), zygote: cpu(one('zygote')),
		worker: cpu(one('zygote'), true), keys: cpu(one('keys')), auth: cpu(one('auth')) });
	const theirs = () => {
		const all = ng.pids().map((p) => cpu(p));
		return { workers: { user: all.reduce((n, c) => n + c.user, 0),
			system: all.reduce((n, c) => n + c.system, 0) } };
	};
	const before = [ours(), theirs()];
	const late = [[], []];
	await compare('new TLS connections/s', () => connections(d.port, url, late[0]),
		() => connections(ng.port, url, late[1]));
	console.log(`  99 % within ms                   ided ${median(late[0])}, nginx ${median(late[1])}`);
	console.log(`  µs per connection (user+system)  ided: ${spent(ours(), before[0], number * rounds)}`);
	console.log(`                                   nginx: ${spent(theirs(), before[1], number * rounds)}`);
}

// 200 idle TLS connections, each having made one request.
async function memory() {
	const sum = () => d.role('worker').map((p) => pss(p.pid)).reduce((x, y) => x + y, 0);
	const socks = [];
	for (let i = 0; i < 200; i++) {
		const s = await d.raw();
		s.write(`GET /healthz HTTP/1.1\r\nHost: localhost:${d.port}\r\n\r\n`);
		await new Promise((r) => s.once('data', r));
		socks.push(s);
	}
	await sleep(500);
	const busy = d.role('worker').length;
	console.log(`memory per idle TLS connection (PSS)   ${fmt(sum() / busy)} kB over ${busy} workers (zygote ${pss(d.role('zygote')[0].pid)} kB)`);
	for (const s of socks) s.destroy();
}

try {
	const ide = wanted('sandbox') || wanted('proxied');
	const cookie = ide && await d.login('ann');
	ng = await nginx(d, ide ? await sandbox(cookie) : `${d.dir}/none`);
	console.log(`static file: ${small.url}, ${small.size} bytes; ${rounds} rounds, alternating`);
	if (wanted('static'))
		await compare('static keep-alive, requests/s', () => keepalive(d.port, url), () => keepalive(ng.port, url));
	if (wanted('proxied'))
		await compare('proxied keep-alive, requests/s', () => keepalive(d.port, '/ide/version', cookie),
			() => keepalive(ng.port, '/ide/version'));
	if (wanted('connections')) await compareConnections();
	if (wanted('memory')) await memory();
} finally {
	ng?.child.kill('SIGTERM');
	await d.stop();
}
