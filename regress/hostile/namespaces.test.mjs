// With `user-namespaces allow' a user is root of what he makes.  The ways out of
// escape.table are tried as such a root: what is his there is his, and nothing else.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { startDaemon, freePort, processes } from '../system/daemon.mjs';
import { inside, names, probe, results, serve, table } from './tables.mjs';

// Of the attempts, those that root of a user namespace is meant to get through with:
// over his own identity, capabilities, mounts, interfaces and namespaces.
const own = ['become-root', 'owner-root', 'claim-root', 'file-capability', 'capability-admin', 'capability-ptrace', 'bounding-set-changed',
	'securebits', 'low-port', 'interface-down', 'packet-mark', 'out-by-chroot', 'mount-tmpfs', 'mount-bind', 'user-namespace', 'mount-namespace',
	'network-namespace', 'time-namespace', 'user-namespace-by-clone', 'by-clone-with-high-bit', 'own-namespace-entered', 'namespace-by-tracer'];
const refusal = /^(E[A-Z0-9]+|SIG[A-Z]+.*|0 bytes.*)$/;
const script = 'exec unshare -Urmn /home/ann/data/probe table';

let d, bob, values;
before(async () => {
	d = await startDaemon({ users: ['ann', 'bob'], network: 'none', isolation: 'user-namespaces allow' });
	const uid = {};
	for (const user of ['ann', 'bob']) {
		uid[user] = Number(d.ok(['sandbox', 'exec', user, '--', 'id', '-u']));
		const data = `${d.home(user)}/data`;
		for (const [name, mode, owner] of [['probe', 0o755, uid[user]], ['rooted', 0o6755, 0]]) {
			fs.copyFileSync(probe, `${data}/${name}`);
			fs.chownSync(`${data}/${name}`, owner, owner);
			fs.chmodSync(`${data}/${name}`, mode);
		}
		spawnSync('mknod', ['-m', '666', `${data}/node`, 'c', '1', '5']);
		fs.writeFileSync(`${data}/secret`, 'secret', { mode: 0o644 });
	}
	const port = await freePort();
	bob = inside(d, 'bob', ['/home/bob/data/probe', 'serve', '/home/bob/data/socket', 'bob-is-here', String(port), '0x6d3d']);
	await serve(bob, 'bob');
	values = { me: 'ann', mine: uid.ann, other: 'bob', his: uid.bob, port, key: '0x6d3d', hostport: d.port, idedport: d.port,
		hostaddress: '192.0.2.1', data: d.data, runtime: d.runtime, conf: d.conf, tlskey: `${d.dir}/server.key`, master: d.pid,
		isolation: d.role('isolation')[0].pid, pid: processes().find((p) => p.uid === uid.bob && p.name === 'probe').pid };
});
after(async () => {
	bob?.kill('SIGKILL');
	await d?.stop();
});

test('as root of a user namespace: nothing but his own', (t) => {
	const rows = table('escape', values);
	const r = d.ctl(['sandbox', 'exec', 'ann', '--', 'sh', '-c', script], `${rows.join('\n')}\n`);
	const got = results(r.out);
	assert.deepEqual(names(rows).filter((n) => !got.has(n)), [], `answered: ${r.err}`);
	const want = new Map(rows.map((row) => [names([row])[0], row.split('|')[2].trim()]));
	const through = [...got].filter(([name, { ok, said }]) => !ok && refusal.test(want.get(name)) && !refusal.test(said.replace(/ instead of .*/, '')));
	assert.deepEqual(through.map(([n]) => n).sort(), own.sort());
	// He is himself there under another name.
	assert.equal(got.get('set-uid-program').said.replace(/ instead of .*/, ''), '0 0 0');
	t.diagnostic(`${got.size - through.length} of ${got.size} are held`);
});

test('what is masked or read-only stays so, and control groups are not his', () => {
	const refused = (what) => {
		const r = d.ctl(['sandbox', 'exec', 'ann', '--', 'unshare', '-UrmnC', 'sh', '-c', `${what} && echo done`]);
		assert.equal(r.out, '', what);
		assert.notEqual(r.err, '', what);
	};
	for (const what of ['umount /proc/kcore', 'umount -l /proc/sys', 'umount /proc/fs', 'mount -t proc x /tmp', 'mount -t sysfs x /tmp',
		'mount -o remount,bind,rw /usr', 'mount -o remount,bind,rw /proc/sys', 'mount -o remount,bind,suid /home/ann', 'mount -o remount,bind,dev /home/ann',
		'mount -o remount,rw /', 'echo x >/proc/sys/kernel/core_pattern', 'mknod /tmp/x c 1 3',
		'mount -t cgroup2 x /tmp && echo $$ >/tmp/cgroup.procs', 'mount -t cgroup2 x /tmp && echo 1 >/tmp/cgroup.kill',
		'mount -t cgroup -o memory x /tmp && echo -1 >/tmp/memory.limit_in_bytes', 'mount -t cgroup -o memory x /tmp && echo /tmp/x >/tmp/release_agent'])
		refused(what);
	const control = d.ctl(['sandbox', 'exec', 'ann', '--', 'unshare', '-UrmnC', 'sh', '-c', 'mount -t tmpfs x /tmp && mount -o remount,bind,ro /usr && umount /tmp && echo done']);
	assert.equal(control.out, 'done\n', control.err);
	assert.equal(d.ok(['sandbox', 'exec', 'bob', '--', 'cat', '/home/bob/data/secret']), 'secret');
});
