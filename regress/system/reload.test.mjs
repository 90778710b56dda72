// A new configuration and certificate without dropping a connection.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { startDaemon, makeCertificate, freePort, waitFor, sleep } from './daemon.mjs';

let d;
before(async () => { d = await startDaemon({ users: ['ann'] }); });
after(() => d?.stop());

const fingerprint = (s) => s.getPeerCertificate().fingerprint256;

async function half(s) {
	s.write('GET /healthz HTTP/1.1\r\nHost: ');
	await sleep(50);
}

async function rest(s) {
	const got = new Promise((resolve, reject) => {
		s.once('data', (b) => resolve(b.toString()));
		s.once('close', () => reject(new Error('closed')));
	});
	s.write(`localhost:${d.port}\r\n\r\n`);
	return got;
}

test('a new certificate: old connections go on, new ones see it', async () => {
	const s = await d.raw();
	await half(s);
	const old = fingerprint(s);
	makeCertificate(d.dir, 'server', 'rsa');
	d.ok(['reload']);
	const fresh = await waitFor('the new certificate', async () => {
		const n = await d.raw();
		const f = fingerprint(n);
		n.destroy();
		return f !== old;
	});
	assert.ok(fresh);
	assert.match(await rest(s), /^HTTP\/1\.1 200/);
	s.destroy();
});

test('no request fails while it reloads again and again', { timeout: 120000 }, async () => {
	let stop = false;
	let n = 0;
	const load = (async () => {
		while (!stop) {
			assert.equal((await d.request('GET', '/healthz')).status, 200);
			n++;
		}
	})();
	for (let i = 0; i < 10 || n <= 20; i++) {
		makeCertificate(d.dir, 'server', 'ec');
		d.ok(['reload']);
		await sleep(100);
	}
	stop = true;
	await load;
});

test('a bad configuration is refused, all errors named, and the old stays', async () => {
	const good = fs.readFileSync(d.conf, 'utf8');
	fs.writeFileSync(d.conf, `${good}\nnonsense\nprefork { spare zero }\n`);
	const r = d.ctl(['reload']);
	assert.equal(r.status, 1);
	assert.match(r.err + r.out, /nonsense/);
	assert.match(r.err + r.out, /ided\.conf:\d+/);
	assert.equal((await d.request('GET', '/healthz')).status, 200);
	fs.writeFileSync(d.conf, good);
	d.ok(['reload']);
});

test('a key that does not match is refused, and handshakes go on', async () => {
	const keep = fs.readFileSync(`${d.dir}/server.key`);
	makeCertificate(d.dir, 'other');
	fs.copyFileSync(`${d.dir}/other.key`, `${d.dir}/server.key`);
	const r = d.ctl(['reload']);
	assert.equal(r.status, 1);
	assert.match(r.err + r.out, /do not belong together/);
	assert.equal((await d.request('GET', '/healthz')).status, 200);
	fs.writeFileSync(`${d.dir}/server.key`, keep, { mode: 0o600 });
});

test('SIGHUP does the same, and listeners come and go', async () => {
	const extra = await freePort();
	d.write(`listen on 127.0.0.1 port ${extra} tls\n`);
	process.kill(d.pid, 'SIGHUP');
	const old = d.port;
	await waitFor('the new port', async () => {
		d.port = extra;
		try { return (await d.request('GET', '/healthz')).status === 200; } catch { return false; } finally { d.port = old; }
	});
	assert.equal((await d.request('GET', '/healthz')).status, 200);
	d.write('');
	process.kill(d.pid, 'SIGHUP');
	await waitFor('the port to close', async () => {
		d.port = extra;
		try { await d.request('GET', '/healthz'); return false; } catch (e) { return e.code === 'ECONNREFUSED'; } finally { d.port = old; }
	});
	assert.equal((await d.request('GET', '/healthz')).status, 200);
});

test('a SIGHUP that comes while one is still worked at is not lost', { timeout: 60000 }, async () => {
	const ports = [await freePort(), await freePort(), await freePort()];
	for (const p of ports) {
		d.write(`listen on 127.0.0.1 port ${p} tls\n`);
		process.kill(d.pid, 'SIGHUP');
		await sleep(1);
	}
	const old = d.port;
	await waitFor('the last one to be in effect', async () => {
		d.port = ports[2];
		try { return (await d.request('GET', '/healthz')).status === 200; } catch { return false; } finally { d.port = old; }
	}, 20000);
	d.write('');
	await waitFor('it to be taken', () => d.ctl(['reload']).status === 0);
});

test('the data folder cannot change while it runs', () => {
	const good = fs.readFileSync(d.conf, 'utf8');
	fs.mkdirSync(`${d.dir}/data2`, { mode: 0o711 });
	fs.writeFileSync(d.conf, good.replace(`data "${d.data}"`, `data "${d.dir}/data2"`));
	const r = d.ctl(['reload']);
	assert.equal(r.status, 1);
	assert.match(r.err + r.out, /data/);
	fs.writeFileSync(d.conf, good);
});
