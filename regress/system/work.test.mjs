// What people do inside their sandboxes all day: compilers, debuggers, git, npm,
// python, node, servers on ports of their own.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { startDaemon, obj, waitFor } from './daemon.mjs';

let d, uid, home;
before(async () => {
	d = await startDaemon({ users: ['ann', 'bob'] });
	uid = Number(d.ok(['sandbox', 'exec', 'ann', '--', 'id', '-u']));
	d.ok(['sandbox', 'exec', 'bob', '--', 'true']);
	home = d.home('ann');
});
after(() => d?.stop());

// A shell script as ann, in a new folder of her home; ends the test if it fails.
let n = 0;
async function work(script, { files = {}, user = 'ann' } = {}) {
	const dir = `w${n++}`;
	fs.mkdirSync(`${home}/${dir}`);
	for (const [name, text] of Object.entries(files)) {
		fs.writeFileSync(`${home}/${dir}/${name}`, text);
		fs.chownSync(`${home}/${dir}/${name}`, uid, uid);
	}
	fs.chownSync(`${home}/${dir}`, uid, uid);
	const p = spawn(`${obj}/idectl`, ['-s', `${d.runtime}/ided.sock`, 'sandbox', 'exec', user, '--', 'bash', '-lc', `cd ~/${dir} && set -e; ${script}`],
		{ stdio: ['ignore', 'pipe', 'pipe'] });
	let out = '', err = '';
	p.stdout.on('data', (s) => { out += s; });
	p.stderr.on('data', (s) => { err += s; });
	const status = await new Promise((r) => p.on('close', r));
	assert.equal(status, 0, `${script}\n${out}${err}`);
	return out;
}

const C = `#include <stdio.h>
int square(int x)
{
	int y = x * x;
	return y;
}
int main(void)
{
	int i, sum = 0;
	for (i = 0; i < 5; i++)
		sum += square(i);
	printf("%d\\n", sum);
	return 0;
}
`;

test('a C program is built with make, and runs', async () => {
	const out = await work('make -j2 2>&1 && ./sum', { files: { 'sum.c': C,
		Makefile: 'sum: sum.o\n\tcc -o $@ $^\nsum.o: sum.c\n\tcc -g -O0 -Wall -c -o $@ $<\n' } });
	assert.match(out, /\n30\n$/);
});

test('a program in C++ with threads, and a shared library, too', async () => {
	const out = await work('c++ -fPIC -shared -o libone.so one.cc && c++ -pthread -o two two.cc -L. -lone -Wl,-rpath,. && ./two', { files: {
		'one.cc': 'int one() { return 1; }\n',
		'two.cc': '#include <thread>\n#include <iostream>\nint one();\nint main() { int n = 0; std::thread t([&] { n = one() + 1; }); t.join(); std::cout << n << "\\n"; }\n' } });
	assert.equal(out, '2\n');
});

test('gdb steps a program, looks into it, and attaches to one that runs', async () => {
	const out = await work(`cc -g -O0 -o sum sum.c
gdb -q -batch -ex 'break square' -ex run -ex next -ex 'print y' -ex 'print x' -ex backtrace -ex continue -ex next -ex 'print y' ./sum 2>&1
sleep 100 & gdb -q -batch -p $! -ex 'info inferiors' -ex detach 2>&1; kill $!`, { files: { 'sum.c': C } });
	assert.match(out, /Breakpoint 1, square \(x=0\)/);
	assert.match(out, /\$1 = 0\n\$2 = 0\n#0 {2}square \(x=0\) at sum\.c:5\n#1 .*in main \(\) at sum\.c:11/);
	assert.match(out, /\$3 = 1\n/);
	assert.match(out, /process \d+ .*sleep/);
	assert.doesNotMatch(out, /disabling address space randomization|Operation not permitted|ptrace:/);
});

test('strace and ltrace-like tools see system calls', async () => {
	const out = await work('strace -f -e trace=openat,clone,clone3,execve -o t sh -c "cat /etc/hostname; true" && cat t');
	assert.match(out, /^ann\n/);
	assert.match(out, /execve\(.*"sh"/);
	assert.match(out, /openat\(AT_FDCWD, "\/etc\/hostname"/);
});

test('git: commit, clone over a local path, branch, merge, push, gc', async () => {
	const out = await work(`export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
git init -q -b main one; cd one; echo 1 >f; git add f; git commit -qm first; cd ..
git clone -q --bare one one.git; git clone -q ~+/one.git two; cd two
git checkout -qb more; echo 2 >>f; git commit -qam second; git checkout -q main; git merge -q --no-ff -m merged more
git push -q origin main; git gc -q; git fsck 2>/dev/null; cd ..; git clone -q file://$PWD/one.git three; cat three/f; git -C three log --format=%s | sort`);
	assert.equal(out, '1\n2\nfirst\nmerged\nsecond\n');
});

// A registry as npm knows it, out of a folder of packages.
const registry = `const http = require('http'), fs = require('fs'), crypto = require('crypto'), path = require('path');
http.createServer((q, a) => {
	const name = q.url.slice(1).split('?')[0], file = path.join('packages', path.basename(name));
	if (/\\.tgz$/.test(name) && fs.existsSync(file)) return a.end(fs.readFileSync(file));
	const tgz = fs.readdirSync('packages').find((f) => f.startsWith(name + '-'));
	if (!tgz) { a.statusCode = 404; return a.end('{}'); }
	const version = tgz.slice(name.length + 1, -4), bytes = fs.readFileSync('packages/' + tgz);
	const dependencies = name === 'greet' ? { words: '^1.0.0' } : {};
	a.setHeader('content-type', 'application/json');
	a.end(JSON.stringify({ name, 'dist-tags': { latest: version }, versions: { [version]: { name, version, dependencies, bin: name === 'greet' ? { greet: 'greet.js' } : undefined,
		dist: { tarball: 'http://127.0.0.1:4873/' + tgz, integrity: 'sha512-' + crypto.createHash('sha512').update(bytes).digest('base64') } } } }));
}).listen(4873, '127.0.0.1', () => console.log('ready'));
`;

test('npm installs a package with what it needs from a registry, and into the home for good', async () => {
	const out = await work(`export npm_config_update_notifier=false npm_config_audit=false npm_config_fund=false
mkdir packages words greet
echo '{"name":"words","version":"1.2.0","main":"words.js"}' >words/package.json
echo 'module.exports = "hello";' >words/words.js
echo '{"name":"greet","version":"2.0.0","bin":{"greet":"greet.js"},"dependencies":{"words":"^1.0.0"}}' >greet/package.json
printf '#!/usr/bin/env node\\nconsole.log(require("words") + " from " + __dirname.split("/").slice(-2).join("/"));\\n' >greet/greet.js
(cd packages; npm pack --silent ../words ../greet) >/dev/null
node registry.js >log & n=0; until grep -q ready log; do sleep 0.1; n=$((n+1)); [ $n -lt 100 ]; done
mkdir app; cd app; npm init -y >/dev/null
npm install --registry http://127.0.0.1:4873 greet >/dev/null; npx --no-install greet; cat node_modules/words/package.json | grep -c '"words"'
npm install --registry http://127.0.0.1:4873 --prefix ~/.local -g greet >/dev/null; command -v greet; greet; kill %1`, { files: { 'registry.js': registry } });
	assert.equal(out, 'hello from node_modules/greet\n1\n/home/ann/.local/bin/greet\nhello from node_modules/greet\n');
});

test('node: workers, children, watchers of files, servers', async () => {
	const out = await work('node all.js', { files: { 'all.js': `
const { Worker } = require('worker_threads'), { execFileSync, fork } = require('child_process'), fs = require('fs'), http = require('http');
if (process.argv[2] === 'child') { process.send('child'); process.exit(); }
(async () => {
	await new Promise((r) => new Worker('require("worker_threads").parentPort.postMessage("worker")', { eval: true }).on('message', (m) => { console.log(m); r(); }));
	console.log(execFileSync('echo', ['exec']).toString().trim());
	await new Promise((r) => fork(__filename, ['child']).on('message', (m) => { console.log(m); r(); }));
	await new Promise((r) => { const w = fs.watch('.', () => { w.close(); console.log('watched'); r(); }); setTimeout(() => fs.writeFileSync('x', 'x'), 50); });
	const s = http.createServer((q, a) => a.end('served')).listen(0, '127.0.0.1');
	await new Promise((r) => s.on('listening', r));
	console.log(await (await fetch('http://127.0.0.1:' + s.address().port)).text());
	s.close();
	process.exit();
})();
` } });
	assert.equal(out, 'worker\nexec\nchild\nwatched\nserved\n');
});

test('python: processes that share, a data base, an environment of its own', async () => {
	const out = await work(`python3 all.py && python3 -m venv --without-pip env && env/bin/python -c 'import sys; print(sys.prefix.split("/")[-1])'`, { files: { 'all.py': `
import multiprocessing, sqlite3, threading, tempfile, socket, subprocess, mmap, os
def square(x): return x * x
if __name__ == '__main__':
    with multiprocessing.Pool(2) as p: print(p.map(square, [1, 2, 3]))
    q = multiprocessing.Queue(); m = multiprocessing.Process(target=q.put, args=('queue',)); m.start(); print(q.get()); m.join()
    from multiprocessing import shared_memory
    s = shared_memory.SharedMemory(create=True, size=16); s.buf[0] = 7; print(s.buf[0]); s.close(); s.unlink()
    c = sqlite3.connect('x.db'); c.execute('create table t(a)'); c.execute('insert into t values(5)'); c.commit(); print(c.execute('select a from t').fetchone()[0])
    print(subprocess.run(['id', '-un'], capture_output=True, text=True).stdout.strip())
    with tempfile.NamedTemporaryFile() as f: print(f.name.startswith('/tmp/'))
    print(socket.gethostbyname('localhost'))
` } });
	assert.equal(out, '[1, 4, 9]\nqueue\n7\n5\nann\nTrue\n127.0.0.1\nenv\n');
});

test('what is set for programs: a home, and a /tmp that is there to be used', async () => {
	const out = await work('env | grep -c TMPDIR || :; printf "#!/bin/sh\\necho runs\\n" >/tmp/x; chmod +x /tmp/x; /tmp/x; head -c 100M /dev/zero >/tmp/big; stat -c %s /tmp/big; rm /tmp/big; echo $HOME $USER $SHELL $LANG');
	assert.equal(out, '0\nruns\n104857600\n/home/ann ann /bin/bash C.UTF-8\n');
});

test('a terminal: of its own, with a size and job control', async () => {
	const out = await work(`script -qec "stty rows 40 cols 120; stty size; tty; bash -ic 'sleep 50 & jobs; kill %1; wait; echo done'" /dev/null`);
	assert.match(out, /40 120/);
	assert.match(out, /\/dev\/pts\/\d+/);
	assert.match(out, /Running .*sleep 50/);
	assert.match(out, /done/);
});

test('a python server on port 3000, which the other user cannot reach, and who has one there too', async () => {
	const serve = (user) => {
		const p = spawn(`${obj}/idectl`, ['-s', `${d.runtime}/ided.sock`, 'sandbox', 'exec', user, '--', 'sh', '-c',
			`mkdir -p ~/www && cd ~/www && echo "page of ${user}" >index.html && exec python3 -u -m http.server --bind 0.0.0.0 3000`],
		{ stdio: ['ignore', 'pipe', 'pipe'] });
		p.said = '';
		p.stdout.on('data', (s) => { p.said += s; });
		p.stderr.on('data', (s) => { p.said += s; });
		return waitFor(`${user}'s server`, () => /Serving HTTP/.test(p.said)).then(() => p);
	};
	const page = (user) => d.ctl(['sandbox', 'exec', user, '--', 'python3', '-c',
		'import urllib.request; print(urllib.request.urlopen("http://127.0.0.1:3000/").read().decode(), end="")']);
	const ann = await serve('ann');
	assert.equal(page('ann').out, 'page of ann\n');
	const none = page('bob');
	assert.notEqual(none.status, 0);
	assert.match(none.err, /Connection refused/);
	const bob = await serve('bob');
	assert.equal(page('bob').out, 'page of bob\n');
	assert.equal(page('ann').out, 'page of ann\n');
	for (const p of [ann, bob]) p.kill('SIGKILL');
});
