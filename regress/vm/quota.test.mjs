// Project quotas of the file system that homes are on, which not every kernel has:
// what is over them is refused, also to homes that were there before.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Vm, startDaemon } from './vm.mjs';

const MB = 1 << 20;
const STORAGE = 32 * MB, FILES = 1000;
let vm;
let d;
before(async () => {
	vm = await Vm.boot({ memory: 768 });
	await vm.ok(`dd if=/dev/zero of=/disk bs=1M count=0 seek=300 2>/dev/null
		/usr/sbin/mke2fs -q -F -t ext4 -O quota,project -E quotatype=prjquota /disk
		mkdir -p /var/ided && mount -t ext4 -o loop,prjquota /disk /var/ided`);
	d = await startDaemon(vm, { users: ['ann', 'bob', 'eve'], isolation: `storage ${STORAGE / MB}M by accounting\n\tfiles ${FILES}` });
});
after(() => vm?.stop());

const show = async (user) => JSON.parse(await d.ok(['-j', 'sandbox', 'show', user]));
// As much as goes into a file, by its size.
const fill = (name) => `dd if=/dev/zero of=${name} bs=64k count=1000 2>&1 | grep -v records; stat -c %s ${name}`;

test('a home that is there becomes part of a project, with all that it holds', async () => {
	assert.match(d.log, /isolation\.storage by="accounting"/);
	assert.equal((await d.exec('ann', 'mkdir -p a/b && dd if=/dev/zero of=a/b/old bs=1M count=8 2>/dev/null && ln -s /etc a/link && mkfifo a/pipe && sync && ls a')).out, 'b\nlink\npipe\n');
	await d.ok(['sandbox', 'stop', 'ann']);
	d.opts.isolation = `storage ${STORAGE / MB}M\n\tfiles ${FILES}`;
	await d.write();
	await d.ok(['reload']);
	assert.equal((await d.exec('ann', 'ls a')).out, 'b\nlink\npipe\n');
	const row = await show('ann');
	assert.equal(row.storage_by, 'quota');
	assert.equal(row.storage_max, STORAGE);
	assert.ok(row.storage >= 8 * MB && row.storage < 9 * MB, `${row.storage}`);
});

test('EDQUOT at the limit, to the block; the neighbour writes on', async () => {
	const r = await d.exec('ann', fill('fill'));
	assert.match(r.out, /quota exceeded/i);
	const size = Number(/(\d+)\n$/.exec(r.out)[1]);
	assert.ok(size > 23 * MB && size <= 24 * MB, `${size} besides the 8M`);
	const row = await show('ann');
	assert.ok(row.storage <= STORAGE && row.storage > STORAGE - 128 * 1024, `${row.storage}`);
	assert.equal((await d.exec('bob', 'dd if=/dev/zero of=f bs=1M count=10 2>/dev/null; stat -c %s f')).out.trim(), String(10 * MB));
	// In what was made before and after, and moved there from elsewhere.
	for (const name of ['a/b/more', 'data/more'])
		assert.match((await d.exec('ann', `dd if=/dev/zero of=${name} bs=64k count=4 seek=400 2>&1`)).out, /quota exceeded/i, name);
	assert.match((await d.exec('ann', 'dd if=/dev/zero of=/tmp/t bs=64k count=4 2>/dev/null; mv /tmp/t . 2>&1')).out, /quota exceeded/i);
	await d.exec('ann', 'rm -f fill t data/more a/b/more');
});

test('and at the number of files', async () => {
	const before = (await show('ann')).files;
	const r = await d.exec('ann', `mkdir many && cd many && touch $(seq 1 ${FILES}) 2>&1 | tail -n 1; ls | wc -l`);
	assert.match(r.out, /quota exceeded/i);
	assert.equal(Number(/(\d+)\n$/.exec(r.out)[1]), FILES - before - 1);
	assert.equal((await show('ann')).files, FILES);
	assert.equal((await d.exec('bob', 'touch x y z && ls x y z | wc -l')).out.trim(), '3');
	await d.exec('ann', 'rm -r many');
});

test('no way out of the project', async () => {
	// The calls that change a project are refused; so is a link to what is another's.
	const r = await d.exec('ann', 'chattr -p 0 a 2>&1; chattr +A a 2>&1; lsattr -p -d a 2>&1');
	assert.doesNotMatch(r.out, /^ *0 .* a$/m);
	assert.match((await d.exec('ann', fill('fill'))).out, /quota exceeded/i);
	await d.exec('ann', 'rm fill');
});

test('a new configuration holds at once, also one that is lower than what is there', async () => {
	d.opts.isolation = `storage 4M\n\tfiles ${FILES}`;
	await d.write();
	await d.ok(['reload']);
	assert.match((await d.exec('ann', 'echo x > little; dd if=/dev/zero of=little bs=64k count=1 2>&1')).out, /quota exceeded/i);
	assert.equal((await d.exec('ann', 'stat -c %s a/b/old')).out.trim(), String(8 * MB), 'what is there stays');
	assert.equal((await d.exec('ann', 'rm -f a/b/old little; dd if=/dev/zero of=f bs=1M count=3 2>/dev/null; stat -c %s f')).out.trim(), String(3 * MB));
});

test('who is removed leaves nothing, and a new home has all of its own', async () => {
	assert.match(await d.ok(['user', 'delete', '-r', 'bob']), /user bob deleted, and the home removed/);
	await vm.ok('until [ "$(ls -A /var/ided/home)" = ann ]; do sleep 0.1; done');
	const r = await d.exec('eve', fill('fill'));
	assert.match(r.out, /quota exceeded/i);
	const size = Number(/(\d+)\n$/.exec(r.out)[1]);
	assert.ok(size > 3.5 * MB && size <= 4 * MB, `${size}`);
});
