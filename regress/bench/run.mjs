// Side by side with nginx (2 workers, TLS, the same certificate), alternating:
// keep-alive requests/s for a small static file and for a proxied one, new TLS
// connections/s, memory per idle TLS connection, and the time from a request to
// a started sandbox.  Figures, not tests: nothing here fails.
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import { startDaemon, freePort, idePath, sleep, waitFor, top } from '../system/daemon.mjs';

execFileSync(`${top}/etc/install-deps`, ['build', 'bench'], { stdio: 'inherit' });
const rounds = Number(process.env.ROUNDS || 5);
const seconds = Number(process.env.SECONDS_EACH || 4);
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

async function connections(port, url) {
	const out = await run('ab', ['-q', '-n', '2000', '-c', '10', `https://127.0.0.1:${port}${url}`]);
	const failed = Number(/Failed requests:\s+(\d+)/.exec(out)?.[1] ?? -1);
	if (failed !== 0) throw new Error(out);
	return Number(/Requests per second:\s+([\d.]+)/.exec(out)[1]);
}

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
let ng;
try {
	const cookie = await d.login('ann');
	const t0 = process.hrtime.bigint();
	const first = await d.request('GET', '/ide/version', { headers: { cookie } });
	console.log(`first request to VS Code: ${first.status} after ${Number(process.hrtime.bigint() - t0) / 1e6 | 0} ms`);
	const started = /sandbox\.start\S*.*?(?:ms|took)="?(\d+)/.exec(d.log);
	console.log(`sandbox made ready in ${started ? started[1] : '?'} ms (from the log)`);
	const box = d.sandboxes()[0];
	ng = await nginx(d, `/proc/${box.pid}/root/run/ide/code.sock`);
	const small = smallFile();
	const url = `/_static/${small.url}`;
	console.log(`static file: ${small.url}, ${small.size} bytes; ${rounds} rounds, alternating`);
	await compare('static keep-alive, requests/s', () => keepalive(d.port, url), () => keepalive(ng.port, url));
	await compare('proxied keep-alive, requests/s', () => keepalive(d.port, '/ide/version', cookie),
		() => keepalive(ng.port, '/ide/version'));
	await compare('new TLS connections/s', () => connections(d.port, url), () => connections(ng.port, url));

	// 200 idle TLS connections, each having made one request.
	const sum = () => d.role('worker').map((p) => pss(p.pid)).reduce((x, y) => x + y, 0);
	const zy = d.role('zygote')[0].pid;
	const socks = [];
	for (let i = 0; i < 200; i++) {
		const s = await d.raw();
		s.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n'.replace('localhost', `localhost:${d.port}`));
		await new Promise((r) => s.once('data', r));
		socks.push(s);
	}
	await sleep(500);
	const busy = d.role('worker').length;
	console.log(`memory per idle TLS connection (PSS)   ${fmt(sum() / busy)} kB over ${busy} workers (zygote ${pss(zy)} kB)`);
	for (const s of socks) s.destroy();
} finally {
	ng?.child.kill('SIGTERM');
	await d.stop();
}
