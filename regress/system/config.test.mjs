// Bad input at start: a clear message, exit code 1, nothing half-started.
import { test, after } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { spawnSync } from 'node:child_process';
import { wildcardCertificate } from './port-daemon.mjs';
import { Daemon, lightIde, obj, top, makeCertificate, idePath } from './daemon.mjs';

const made = [];
after(() => { for (const d of made) fs.rmSync(d.dir, { recursive: true, force: true }); });

async function prepared(opts = {}) {
	const d = new Daemon(opts);
	made.push(d);
	await d.prepare();
	return d;
}

function run(d, args = [], env = {}) {
	const r = spawnSync(`${obj}/ided`, ['-d', '-f', d.conf, ...args],
		{ encoding: 'utf8', timeout: 20000, env: { PATH: process.env.PATH, ...env }, cwd: '/' });
	return { status: r.status, err: r.stderr };
}

function refused(d, re, args, env) {
	const r = run(d, args, env);
	assert.match(r.err, re);
	assert.equal(r.status, 1, r.err);
	assert.ok(!fs.existsSync(`${d.runtime}/ided.sock`), 'control socket left behind');
	assert.deepEqual(fs.readdirSync(d.data).filter((f) => f !== 'lock'), [], 'data was touched');
	return r;
}

test('the sample configuration is accepted as it stands', () => {
	const sample = `${top}/../shared/ided.conf.sample`;
	// Where who is nobody may read both.
	const dir = fs.mkdtempSync(`${os.tmpdir()}/ided-conf-`);
	try {
		fs.chmodSync(dir, 0o755);
		fs.copyFileSync(fs.existsSync(sample) ? sample : `${top}/etc/ided.conf`, `${dir}/ided.conf`);
		fs.chmodSync(`${dir}/ided.conf`, 0o644);
		fs.copyFileSync(`${obj}/ided`, `${dir}/ided`);
		const r = spawnSync('setpriv', ['--reuid=65534', '--clear-groups', `${dir}/ided`, '-n', '-f', `${dir}/ided.conf`],
			{ encoding: 'utf8', env: { PATH: process.env.PATH }, cwd: dir });
		assert.equal(r.status, 0, r.stderr);
	} finally { fs.rmSync(dir, { recursive: true }); }
});

test('all errors in one go, each with file and line', async () => {
	const d = await prepared();
	fs.appendFileSync(d.conf, 'nonsense 1\nprefork { spare many }\nlisten on 127.0.0.1 port 70000 tls\n');
	const r = refused(d, /nonsense/);
	const lines = r.err.split('\n').filter((l) => /ided\.conf:\d+: /.test(l));
	assert.ok(lines.length >= 3, r.err);
});

test('certificate and key that do not match', async () => {
	const d = await prepared();
	makeCertificate(d.dir, 'other');
	fs.copyFileSync(`${d.dir}/other.key`, `${d.dir}/server.key`);
	refused(d, /do not belong together/);
});

test('a key that others may read', async () => {
	const d = await prepared();
	fs.chmodSync(`${d.dir}/server.key`, 0o644);
	refused(d, /only root may read it: chown root/);
});

test('a missing certificate, an empty one, an encrypted key', async () => {
	const d = await prepared();
	fs.renameSync(`${d.dir}/server.crt`, `${d.dir}/gone.crt`);
	refused(d, /tls certificate ".*server\.crt": No such file/);
	fs.writeFileSync(`${d.dir}/server.crt`, '');
	refused(d, /holds no certificate/);
	fs.renameSync(`${d.dir}/gone.crt`, `${d.dir}/server.crt`);
	spawnSync('openssl', ['pkey', '-in', `${d.dir}/server.key`, '-aes256', '-passout', 'pass:x',
		'-out', `${d.dir}/enc.key`]);
	fs.copyFileSync(`${d.dir}/enc.key`, `${d.dir}/server.key`);
	fs.chmodSync(`${d.dir}/server.key`, 0o600);
	refused(d, /is encrypted; decrypt it/);
});

test('a proxy domain that the certificate does not cover', async () => {
	const d = await prepared({ conf: 'proxy { domain "*.ide.localhost" }\n' });
	refused(d, /server\.crt": is not for \*\.ide\.localhost, which is the proxy domain; get one/);
	wildcardCertificate(d.dir);
	assert.equal(run(d, ['-n']).status, 0);
});

test('a missing data folder, one of another owner, one that others may write to', async () => {
	const d = await prepared();
	fs.chmodSync(d.data, 0o777);
	refused(d, /only root may write to it/);
	fs.chmodSync(d.data, 0o711);
	fs.chownSync(d.data, 12345, 12345);
	refused(d, /owner 12345/);
	fs.chownSync(d.data, 0, 0);
	fs.rmdirSync(d.data);
	const r = run(d);
	assert.equal(r.status, 1);
	assert.match(r.err, /make it: install -d/);
});

test('VS Code that is not installed', async () => {
	const d = await prepared();
	fs.writeFileSync(d.conf, fs.readFileSync(d.conf, 'utf8').replace(idePath, `${d.dir}/none`));
	refused(d, /install VS Code: make ide/);
	// What starts it under rules for extensions is asked for where there are some.
	const old = lightIde();
	try {
		fs.writeFileSync(d.conf, fs.readFileSync(d.conf, 'utf8').replace(`${d.dir}/none"`, `${old}"\n\textension deny one`));
		refused(d, /cli\/policy\.js is missing.*make ide/);
	} finally {
		fs.rmSync(old, { recursive: true });
	}
});

test('a port in use', async () => {
	const d = await prepared();
	const s = net.createServer().listen(d.port, '127.0.0.1');
	await new Promise((r) => s.once('listening', r));
	refused(d, /Address already in use; stop what uses it/);
	s.close();
});

test('unknown variables and unused macros are named', async () => {
	const d = await prepared();
	refused(d, /IDED_NONSENSE/, [], { IDED_NONSENSE: '1' });
	refused(d, /nomacro/, ['-D', 'nomacro=1']);
});

test('keywords whose feature is not in effect are named at start, one line each', async () => {
	const d = await prepared({ strategy: 'container' });
	await d.start();
	assert.equal(d.log.match(/configuration\.ineffective.*isolation container/g)?.length, 1, d.log);
	await d.stop({ keep: true });
});

test('two on one data folder: the second is refused, the first goes on', async () => {
	const d = await prepared();
	await d.start();
	const r = run(d);
	assert.equal(r.status, 1);
	assert.match(r.err, /in use/);
	assert.equal((await d.request('GET', '/healthz')).status, 200);
	await d.stop({ keep: true });
});

test('a corrupt store is refused with a remedy and left as it is', async () => {
	const d = await prepared();
	await d.start();
	d.addUser('ann');
	await d.stop({ keep: true });
	const store = `${d.data}/store`;
	const dbs = fs.readdirSync(store).filter((f) => fs.statSync(path.join(store, f)).isFile());
	for (const f of dbs) fs.writeFileSync(path.join(store, f), 'not a database '.repeat(1000));
	const before = dbs.map((f) => fs.readFileSync(path.join(store, f), 'latin1').length);
	const r = run(d);
	assert.equal(r.status, 1, r.err);
	assert.match(r.err, /store/);
	assert.deepEqual(dbs.map((f) => fs.readFileSync(path.join(store, f), 'latin1').length), before);
});
