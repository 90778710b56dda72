// code-server of the version that the installed VS Code server came in, for benches to
// stand beside: its own front, on the very same VS Code and Node.  It is put into a
// cache and nowhere else; its modules' scripts are not run, what it needs is prebuilt.
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import { freePort, idePath, processes, waitFor } from '../system/daemon.mjs';

const cache = process.env.IDED_CACHE || '/var/cache/ided';
export const version = /^codeserver=(\S+)/m.exec(fs.readFileSync(`${idePath}/product`, 'utf8'))[1];

function install() {
	const dir = `${cache}/bench/code-server-${version}`;
	if (fs.existsSync(`${dir}/ready`)) return dir;
	const tarball = `${cache}/code-server-${version}.tgz`;
	fs.rmSync(dir, { recursive: true, force: true });
	fs.mkdirSync(`${dir}/lib`, { recursive: true });
	if (!fs.existsSync(tarball))
		execFileSync('npm', ['pack', '--silent', `code-server@${version}`, '--pack-destination', cache], { stdio: 'inherit' });
	execFileSync('tar', ['-xzf', tarball, '-C', dir, '--strip-components=1', '--no-same-owner', '--exclude=package/lib']);
	execFileSync('npm', ['ci', '--silent', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: dir, stdio: 'inherit' });
	fs.symlinkSync(`${idePath}/server`, `${dir}/lib/vscode`);
	fs.writeFileSync(`${dir}/ready`, '');
	return dir;
}

// For one user, with the certificate in that folder, and a folder to open.
export async function startCodeServer(d) {
	const port = await freePort();
	const home = `${d.dir}/code-server`;
	const folder = `${home}/workspaces`;
	for (const sub of [folder, `${home}/data`]) fs.mkdirSync(sub, { recursive: true });
	fs.writeFileSync(`${home}/config.yaml`, 'auth: none\n');
	const child = spawn(`${idePath}/node/bin/node`, [`${install()}/out/node/entry.js`,
		'--config', `${home}/config.yaml`, '--auth', 'none', '--bind-addr', `127.0.0.1:${port}`,
		'--cert', `${d.dir}/server.crt`, '--cert-key', `${d.dir}/server.key`,
		'--user-data-dir', `${home}/data`, '--extensions-dir', `${home}/extensions`,
		'--disable-telemetry', '--disable-update-check', '--disable-workspace-trust', '--ignore-last-opened'],
	{ env: { PATH: process.env.PATH, LANG: 'C.UTF-8', HOME: home }, cwd: home, stdio: ['ignore', 'pipe', 'pipe'] });
	let log = '';
	child.stdout.setEncoding('utf8').on('data', (s) => { log += s; });
	child.stderr.setEncoding('utf8').on('data', (s) => { log += s; });
	const ended = new Promise((r) => child.on('exit', r));
	await waitFor('code-server', () => /HTTPS server listening on/.test(log)).catch((e) => {
		child.kill('SIGKILL');
		throw new Error(`${e.message}\n${log}`);
	});
	// Its two front processes, and what they have started.
	const tree = () => {
		const all = processes();
		const out = all.filter((p) => p.pid === child.pid);
		for (let i = 0; i < out.length; i++) out.push(...all.filter((p) => p.ppid === out[i].pid));
		return out;
	};
	return { port, folder, tree, pid: child.pid,
		// Its extension hosts would wait hours for their windows.
		async stop() {
			const all = tree();
			child.kill('SIGTERM');
			await ended;
			for (const p of all) try { process.kill(p.pid, 'SIGKILL'); } catch { /* gone */ }
		} };
}
