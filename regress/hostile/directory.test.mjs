// The ways out of escape.table, tried where the strategy is `directory': those that
// it does not hold are the ones that directory.list and ided-isolation(7) name.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startDaemon, freePort, processes, top, waitFor } from '../system/daemon.mjs';
import { inside, names, probe, results, table } from './tables.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const users = ['ann', 'bob'];
const keys = { ann: '0x3d3d', bob: '0x4d3d' };
const u = {};
const open = [];
let d, hostServer, hostPort;

// What would leave this machine, there where the network is the host's.
const outside = ['metadata-address', 'metadata-address-v6', 'broadcast', 'multicast', 'host-address'];
// And what not every machine has.
if (!fs.existsSync('/proc/fs/ext4')) outside.push('proc-journals');
const home = (user) => `${d.data}/home/${user}`;

// They are the host's own: what was left there goes before and after.
function clean() {
	for (const user of users)
		for (const dir of ['/tmp', '/dev/shm']) fs.rmSync(`${dir}/${user}-is-here`, { force: true });
	for (const key of Object.values(keys)) spawnSync('ipcrm', ['-M', key, '-S', key]);
}

before(async () => {
	clean();
	d = await startDaemon({ users, strategy: 'directory' });
	hostPort = await freePort();
	hostServer = net.createServer((s) => s.destroy()).listen(hostPort, '127.0.0.1');
	for (const user of users) {
		const uid = Number(d.ok(['sandbox', 'exec', user, '--', 'id', '-u']));
		const data = `${home(user)}/data`;
		u[user] = { uid, port: await freePort(), key: keys[user] };
		fs.copyFileSync(probe, `${data}/probe`);
		fs.chmodSync(`${data}/probe`, 0o755);
		fs.chownSync(`${data}/probe`, uid, uid);
		fs.copyFileSync(probe, `${data}/rooted`);
		fs.chmodSync(`${data}/rooted`, 0o6755);
		spawnSync('mknod', ['-m', '666', `${data}/node`, 'c', '1', '5']);
		fs.writeFileSync(`${data}/secret`, crypto.randomBytes(16).toString('hex'), { mode: 0o644 });
		fs.chownSync(`${data}/secret`, uid, uid);
		const p = inside(d, user, [`${data}/probe`, 'serve', `${data}/socket`, `${user}-is-here`, String(u[user].port), u[user].key]);
		open.push(p);
		await waitFor(`${user}'s servers`, () => /ready/.test(p.out), 20000).catch((e) => { throw new Error(`${e.message}: ${p.out}${p.err}`); });
		u[user].pid = processes().find((q) => q.uid === uid && q.name === 'probe').pid;
	}
});
after(async () => {
	for (const p of open) p.kill('SIGKILL');
	hostServer?.close();
	await d?.stop();
	clean();
});

// An answer that is no refusal, where a refusal is wanted.
const refusal = /^(E[A-Z0-9]+|SIG[A-Z]+.*|0 bytes.*)$/;

test('what directory holds and what it does not is what is written down', (t) => {
	const [a, b] = [u.ann, u.bob];
	const rows = table('escape', { me: 'ann', mine: a.uid, other: 'bob', his: b.uid, pid: b.pid, port: b.port, key: b.key,
		hostport: hostPort, idedport: d.port, hostaddress: '192.0.2.1', data: d.data, runtime: d.runtime, conf: d.conf,
		tlskey: `${d.dir}/server.key`, master: d.pid, isolation: d.role('isolation')[0].pid })
		.map((r) => r.replaceAll(/(?<![\w/])\/home\/(?=ann|bob)/g, `${d.data}/home/`))
		.filter((r) => !outside.includes(names([r])[0]));
	const r = d.ctl(['sandbox', 'exec', 'ann', '--', `${home('ann')}/data/probe`, 'table'], `${rows.join('\n')}\n`);
	const got = results(r.out);
	assert.deepEqual(names(rows).filter((n) => !got.has(n)), [], `answered: ${r.err}`);
	const want = new Map(rows.map((row) => [names([row])[0], row.split('|')[2].trim()]));
	const through = [...got].filter(([name, { ok, said }]) => !ok && refusal.test(want.get(name)) &&
		!refusal.test(said.replace(/ instead of .*/, ''))).map(([n]) => n);
	const differs = [...got].filter(([n, { ok }]) => !ok && !through.includes(n) && !refusal.test(want.get(n)));
	for (const [n, { said }] of differs) t.diagnostic(`${n}: ${said}`);
	const list = fs.readFileSync(`${here}/directory.list`, 'utf8').split('\n').filter((l) => l && !l.startsWith('#'));
	assert.deepEqual([...through, ...outside].sort(), list.sort());
	assert.ok(got.size - through.length > 150, `${got.size - through.length} of ${got.size} are held`);
	t.diagnostic(`${got.size - through.length} of ${got.size} are held`);
});

test('the manual names each that is not held', () => {
	const page = fs.readFileSync(`${top}/man/ided-isolation.7`, 'utf8');
	const section = page.slice(page.indexOf('.Sh STRATEGY DIRECTORY'));
	for (const name of fs.readFileSync(`${here}/directory.list`, 'utf8').split('\n').filter((l) => l && !l.startsWith('#')))
		assert.match(section, new RegExp(`\\b${name}\\b`), name);
});

test('the user next door works on, and what is his is his', () => {
	assert.ok(fs.existsSync(`/proc/${u.bob.pid}`));
	assert.equal(fs.readFileSync(`${home('bob')}/data/secret`, 'utf8').length, 32);
	assert.equal(d.sandboxes().length, 2);
});
