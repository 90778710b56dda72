// idectl import code-server: what comes out is a configuration that ided takes.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { freePort, idePath, makeCertificate, obj, startDaemon, password } from './daemon.mjs';

let dir;
before(() => {
	dir = fs.mkdtempSync(path.join(os.tmpdir(), 'ided-test-'));
	fs.chmodSync(dir, 0o711);
	fs.mkdirSync(`${dir}/data`, { mode: 0o711 });
	makeCertificate(dir, 'server');
});
after(() => fs.rmSync(dir, { recursive: true, force: true }));

function convert(yaml, { args = [], env = {} } = {}) {
	fs.writeFileSync(`${dir}/config.yaml`, yaml);
	const r = spawnSync(`${obj}/idectl`, ['import', 'code-server', ...args, `${dir}/config.yaml`],
		{ encoding: 'utf8', env: { PATH: process.env.PATH, ...env } });
	return { status: r.status, out: r.stdout, err: r.stderr };
}

// Folders are the test's, everything else is what was written.
function check(conf) {
	fs.writeFileSync(`${dir}/ided.conf`, conf);
	const r = spawnSync(`${obj}/ided`, ['-n', '-f', `${dir}/ided.conf`], { encoding: 'utf8', env: { PATH: process.env.PATH,
		IDED_DATA: `${dir}/data`, IDED_RUNTIME: `${dir}/run`, IDED_LOG: 'to stderr', IDED_IDE_PATH: idePath,
		IDED_TLS_CERTIFICATE: `${dir}/server.crt`, IDED_TLS_KEY: `${dir}/server.key` } });
	assert.equal(r.status, 0, r.stderr + conf);
}

const has = [
	['what code-server writes at its first start', 'bind-addr: 127.0.0.1:8080\nauth: password\npassword: 0123456789abcdef01234567\ncert: false\n',
		['listen on 127.0.0.1 port 8080', '\tmode single', '\t#   idectl user passwd coder']],
	['an empty file', '', ['listen on 127.0.0.1 port 8080', '\tmode single']],
	['no login', 'auth: none\n', ['\tmode none']],
	['a certificate', 'bind-addr: 0.0.0.0:443\ncert: /etc/a.crt\ncert-key: /etc/a.key\n',
		['listen on * port 443 tls', '\tcertificate "/etc/a.crt"', '\tkey "/etc/a.key"']],
	['one that code-server would make', 'host: "::"\nport: 8443\ncert: true\n', ['listen on * port 8443 tls', '\tcertificate "/etc/ided/server.crt"']],
	['plain HTTP for all the world', 'bind-addr: 10.1.2.3:8080\n', ['listen on 10.1.2.3 port 8080 tls',
		'# Without "cert" code-server spoke plain HTTP here; ided does so on loopback only.']],
	['IPv6', 'bind-addr: "[::1]:8081"\n', ['listen on [::1] port 8081']],
	['a local socket', 'socket: /run/code.sock\n', ['listen on unix "/run/code.sock"']],
	['quotes and dollars', 'app-name: \'a "b" $c \\d\'\n', ['app-name "a \\"b\\" \\$c \\\\d"']],
	['words of the login', 'welcome-text: Welcome to {{app}}\n', ['brand {', '\twelcome "Welcome to {{app}}"']],
	['domains', 'proxy-domain: ["{{port}}.dev.example.com", b.example]\nabs-proxy-base-path: /base\n',
		['\tdomain "*.dev.example.com"', '\t# one domain is served; this one is not: b.example', '\tabs-base-path "/base"']],
	['what VS Code is told', 'disable-telemetry: true\ndisable-workspace-trust: true\nlocale: de\nenable-proposed-api: [a.b, c.d]\ndisable-file-downloads: false\n',
		['\targument "--disable-telemetry"', '\targument "--locale=de"', '\targument "--enable-proposed-api=c.d"']],
	['a hash that will do', "hashed-password: '$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY'\n",
		['\tpassword-hash "\\$argon2id\\$v=19\\$m=19456,t=2,p=1\\$MDEyMzQ1Njc4OWFiY2RlZg\\$MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"']],
	['what needs nothing says why', 'disable-update-check: true\ntrusted-origins: ["*"]\n', ["# trusted-origins: only ided's own pages may write and open WebSockets"]],
];
for (const [name, yaml, lines] of has)
	test(name, () => {
		const r = convert(yaml);
		assert.equal(r.status, 0, r.err);
		const got = r.out.split('\n');
		for (const line of lines) assert.ok(got.includes(line), `${line}\n--\n${r.out}`);
		assert.ok(!r.out.includes('0123456789abcdef01234567'), 'a password is not copied');
		check(r.out);
	});

test('variables come before the file, if they are asked for', () => {
	const yaml = 'bind-addr: 127.0.0.1:8080\napp-name: file\n';
	const env = { PORT: '9000', CODE_SERVER_APP_NAME: 'environment', CS_DISABLE_FILE_DOWNLOADS: '1', CS_DISABLE_PROXY: 'no', PASSWORD: 'not-to-be-copied' };
	const r = convert(yaml, { args: ['-e'], env });
	for (const line of ['listen on 127.0.0.1 port 9000', 'app-name "environment"', '\targument "--disable-file-downloads"'])
		assert.ok(r.out.split('\n').includes(line), line);
	assert.ok(!/not-to-be-copied|Ports of the sandbox/.test(r.out));
	check(r.out);
	assert.match(convert(yaml, { env }).out, /^app-name "file"$/m);
});

const bad = [
	['bogus: 1\nbind-adr: x\nport: {a: b}\nport: 1\nlocale: [[a]]\n', ['1: code-server has no option "bogus"', '2: code-server has no option "bind-adr"',
		'3: port: expected a value or a list', '4: port: it is there twice', '5: locale: expected a list of values']],
	['a: [b\n', [/\d: not YAML: /]],
	['- a\n', ['1: expected "option: value" lines']],
	['locale: "a\\nb"\n', ['1: locale: expected one line of at most 1023 bytes']],
	[`locale: ${'x'.repeat(1024)}\n`, ['1: locale: expected one line of at most 1023 bytes']],
	[`enable-proposed-api: [${'x, '.repeat(33)}]\n`, ['1: enable-proposed-api: more than 32 values']],
	['auth: token\n', [/: auth: expected password or none, got "token"/]],
	['port: 80 tls\n', [/: expected a port number, got "80 tls"/]],
	['host: "a b"\n', [/: expected an address or a host name, got "a b"/]],
];
test('what is wrong is told by line, all of it, and nothing is written', () => {
	for (const [yaml, errors] of bad) {
		const r = convert(yaml);
		assert.deepEqual([r.status, r.out], [1, ''], yaml);
		for (const e of errors)
			if (e instanceof RegExp) assert.match(r.err, e);
			else assert.ok(r.err.includes(`${dir}/config.yaml:${e}\n`), `${e}\n--\n${r.err}`);
		assert.ok(r.err.trim().split('\n').length >= errors.length);
	}
	assert.match(spawnSync(`${obj}/idectl`, ['import', 'code-server', `${dir}/none`], { encoding: 'utf8' }).stderr, /none: No such file/);
});

test('ided runs on it, and takes over what the user had', { timeout: 90000 }, async () => {
	const port = await freePort();
	const conf = convert(`bind-addr: 127.0.0.1:${port}\napp-name: Workshop\ncert: ${dir}/server.crt\ncert-key: ${dir}/server.key\n`).out;
	const auth = conf.match(/^auth \{\n([^}]*)\}/m)[1];
	const d = await startDaemon({ auth, port, conf: conf.match(/^app-name .*$/m)[0], env: { IDED_ADMIN_PASSWORD: password } });
	try {
		assert.match((await d.request('GET', '/login')).body, /Workshop/);
		assert.equal((await d.post('/login', { password })).status, 302);
		fs.mkdirSync(`${dir}/old/User`, { recursive: true });
		fs.writeFileSync(`${dir}/old/User/settings.json`, '{"editor.fontSize": 31}');
		const [, to] = conf.match(/idectl sandbox exec coder -- tar -C (\S+) -x/);
		assert.match(conf, /^#   idectl sandbox exec coder -- mkdir -p data\/data$/m);
		d.ok(['sandbox', 'exec', 'coder', '--', 'mkdir', '-p', 'data/data']);
		const tar = spawnSync('tar', ['-C', `${dir}/old`, '-c', 'User']).stdout;
		const r = spawnSync(`${obj}/idectl`, ['-s', `${d.runtime}/ided.sock`, 'sandbox', 'exec', 'coder', '--', 'tar', '-C', to, '-x'], { input: tar, encoding: 'utf8' });
		assert.equal(r.status, 0, r.stderr);
		// Where VS Code keeps it.
		assert.equal(d.ok(['sandbox', 'exec', 'coder', '--', 'cat', 'data/data/User/settings.json']), '{"editor.fontSize": 31}');
	} finally {
		await d.stop();
	}
});
