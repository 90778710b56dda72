// What the benches beside another gateway share: nginx with the daemon's own
// certificate, processor time, and ratios of alternating rounds.
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import { freePort, waitFor } from '../system/daemon.mjs';

export const median = (a) => [...a].sort((x, y) => x - y)[a.length >> 1];
export const fmt = (n) => n >= 100 ? n.toFixed(0) : n.toFixed(2);
export const loadNow = () => fs.readFileSync('/proc/loadavg', 'utf8').split(' ')[0];

// Two workers, TLS, a unix socket behind.
export async function nginx(d, sock, locations = '') {
	const port = await freePort();
	const dir = `${d.dir}/nginx`;
	fs.mkdirSync(dir, { mode: 0o755 });
	fs.writeFileSync(`${dir}/nginx.conf`, `
daemon off; worker_processes 2; user root; pid ${dir}/pid; error_log ${dir}/error.log;
events { worker_connections 4096; }
http { access_log off; sendfile on; keepalive_requests 1000000; default_type application/octet-stream;
	client_body_temp_path ${dir}; proxy_temp_path ${dir}; fastcgi_temp_path ${dir};
	uwsgi_temp_path ${dir}; scgi_temp_path ${dir};
	# Bytes go through, as they do with ided: no files, no bound.
	client_max_body_size 0; proxy_request_buffering off; proxy_max_temp_file_size 0;
	map $http_upgrade $connection_upgrade { default upgrade; "" ""; }
	upstream ide { server unix:${sock}; keepalive 64; }
	server { listen 127.0.0.1:${port} ssl; server_name localhost;
		ssl_certificate ${d.dir}/server.crt; ssl_certificate_key ${d.dir}/server.key;
		ssl_protocols TLSv1.2 TLSv1.3;
		${locations}
		location / { proxy_pass http://ide; proxy_http_version 1.1;
			proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
			proxy_set_header Host $http_host; } } }
`);
	const child = spawn('nginx', ['-c', `${dir}/nginx.conf`, '-e', `${dir}/error.log`], { stdio: 'ignore' });
	const pids = () => {
		try {
			return execFileSync('pgrep', ['-P', String(child.pid)], { encoding: 'utf8' }).trim().split('\n').map(Number);
		} catch { return []; }
	};
	await waitFor('nginx', () => pids().length === 2);
	return { port, pids, stop: () => child.kill('SIGTERM') };
}

export function run(cmd, args) {
	return new Promise((resolve, reject) => {
		const c = spawn(cmd, args, { stdio: ['ignore', 'pipe', 'pipe'] });
		let out = '';
		c.stdout.on('data', (b) => { out += b; });
		c.stderr.on('data', (b) => { out += b; });
		c.on('error', reject);
		c.on('exit', () => resolve(out));
	});
}

// Requests/s that h2load gets by HTTP/1.1 on kept connections: 16, on one thread.
export async function keepalive(port, url, seconds, cookie) {
	const args = ['--h1', '-D', String(seconds), '-c', '16', '-t', '1'];
	if (cookie) args.push('-H', `Cookie: ${cookie}`);
	const out = await run('h2load', [...args, `https://127.0.0.1:${port}${url}`]);
	const m = /finished in .*?, ([\d.]+) req\/s/.exec(out);
	if (!m || !/status codes: \d+ 2xx, 0 3xx, 0 4xx, 0 5xx/.test(out)) throw new Error(out);
	return Number(m[1]);
}

// Processor time in microseconds; children counts those that were waited for.
const tick = 1e6 / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
export function cpu(pid, children = false) {
	const f = fs.readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\) /, '').split(' ');
	const [user, system] = children ? [13, 14] : [11, 12];
	return { user: Number(f[user]) * tick, system: Number(f[system]) * tick };
}

export const pss = (pid) => Number(/^Pss:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))[1]);

// One line: medians of both, and the median of the rounds' ratios.
export async function compare(name, rounds, ours, theirs, { other = 'nginx' } = {}) {
	const a = [];
	const b = [];
	for (let i = 0; i < rounds; i++) {
		a.push(await ours());
		b.push(await theirs());
	}
	say(name, a, b, other);
}

export function say(name, a, b, other = 'nginx') {
	const ratio = median(a.map((v, i) => v / b[i]));
	console.log(`${name.padEnd(34)} ided ${fmt(median(a)).padStart(8)}  ${other} ${fmt(median(b)).padStart(8)}  ratio ${ratio.toFixed(2)}`);
}
