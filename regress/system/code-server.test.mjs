// The list of what code-server's front does: each line of it is a test that is named
// here, or stands in ided(8) with the reason; and each of its options and variables is
// translated, or named with the reason.
import { test, before, after, describe } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { idePath, makeCertificate, obj, password, startDaemon, top } from './daemon.mjs';
import { workbenchConfig } from './extension.mjs';

const man = fs.readFileSync(`${top}/man/ided.8`, 'utf8');
const compatibility = man.slice(man.indexOf('.Sh COMPATIBILITY'), man.indexOf('.Sh SEE ALSO'));
const items = [...compatibility.matchAll(/^\.It ([a-z][A-Za-z ]*)$/gm)].map((m) => m[1]);

// What it does: where that is tested, or '#' and the word of ided(8).
const lines = {
	'security.txt, robots.txt': "system/compat: without a login: what robots and researchers want to know",
	'ports by a name of their own': 'system/port-origins: a browser is signed on by way of the main origin',
	'/proxy/N strips, /absproxy/N keeps; bodies and queries are as they were': 'system/ports: the prefix goes, or stays; query and bytes are as they were',
	'bodies stream': 'system/ports: bodies of any size, both ways',
	'Location below the prefix': 'system/ports: addresses that the program gives stay below its prefix',
	'a port that is no number, or may not be reached': 'system/ports: what is no port, and what may not be reached',
	'ports without a login': 'system/ports: nobody gets in: a page leads to the login, all else is refused',
	"another user's port, and ided's own": "system/ports: another user's own port is another one",
	'a port where nobody listens': 'system/ports: nothing there: why, and a page that looks again',
	'WebSockets of ports, and their origin': 'system/ports: WebSockets are passed byte by byte, from pages of ours only',
	'other cookies as they are, the own one removed': 'system/ports: who asks is said by us alone, and our credentials stay with us',
	'preflights without a login; 500; several domains': '#ports',
	'which names are ports': 'system/port-origins: which name is whose',
	'VSCODE_PROXY_URI': 'system/port-origins: VS Code learns of it',
	'the Ports view, and hot reload': 'browser/ports: with a proxy domain',
	'_static: what pages need, 404 for the rest': 'system/compat: of _static there is what pages need, and no more',
	'_static: the whole install root': '#static files',
	'Service-Worker-Allowed': 'system/compat: of _static there is what pages need, and no more',
	'healthz': 'system/compat: health: JSON, and over HTTP only',
	'healthz over WebSocket': '#health',
	'the heart: alive, expired, the file': 'system/heart: who is active beats, who only looks in does not; the file follows',
	'scans beat': '#activity',
	'idle timeout': 'system/heart: idle-exit: nobody is active, and it leaves',
	'login: title, to': 'system/compat: the login: its title, and where to afterwards',
	'login and logout without auth lead to /': 'system/single: everything is there without a login',
	'login as JSON': 'system/http: login and errors as JSON',
	'a failure is 200; limiter and its words; the line for fail2ban': '#failures',
	'logout clears the cookie alone': '#logout',
	'logout from the workbench': 'browser/vscode: log in, write a file, use the terminal, come back',
	'what the workbench asks for then': 'system/code-server: logged out as the workbench does it',
	'app-name, in the title': 'browser/vscode: log in, write a file, use the terminal, come back',
	'update/check': 'system/compat: updates: the one that runs is the latest, with and without force',
	'update/check asks outside': 'system/update: what the feed says',
	'update/check: when, and on whose word': '#updates',
	'mounted at /vscode too': '#mounts',
	'the folder that was open last': 'system/sandbox: the last opened folder is remembered',
	'workspace before folder, ew, payload': 'system/code-server: what the query opens, and what of it is remembered',
	'a path on the command line': '#folders',
	'manifest.json': 'system/compat: the manifest has the name, and needs no login',
	'mint-key': 'system/code-server: the key is 32 bytes, and stays',
	'VS Code at /': 'system/single: VS Code is at the root, and all that its workbench asks for',
	'errors: page or JSON': 'system/compat: errors: a page for browsers, JSON for others',
	'the form of its JSON errors': '#errors',
	'relative addresses': '#addresses',
	'the cookie': '#cookie',
	'hashed-password': 'system/single: single: the password as a hash; a hash of another kind is refused at the start',
	'SHA-256 as a password': '#password',
	'origin of WebSockets': "system/single: a page of another site writes nothing and opens no WebSocket",
	'trusted-origins, X-Forwarded-Host': '#addresses of proxies',
	'plain HTTP at the TLS port': 'system/http: TLS 1.2 and 1.3, ALPN, nothing older',
	'plain HTTP': '#plain HTTP',
	'options, config.yaml and variables': 'system/code-server: options of config.yaml',
	'options that only its own process has a use for': '#options',
	'a first start writes a configuration': '#first start',
	'coder.json, the session socket': '#files',
	'signals': '#signals',
	'a graceful end': 'system/stop: told to stop: WebSockets close with 1012, after the frame that is under way',
	'open in a window that is there': 'browser/shell: from another shell of the session, and from the host',
	'code in the terminal': 'browser/shell: in its terminal: code FILE, code --diff, code --wait, and code-server as well',
	'extension verbs': 'browser/shell: extensions: installed from a package of the host, listed, taken away',
	'EXTENSIONS_GALLERY, GITHUB_TOKEN': '#extensions',
	'a gallery of extensions': "system/code-server: extensions come from the site's own gallery, in pages and in the sandbox",
	'telemetry': '#telemetry',
	'downloads and uploads': 'browser/transfer: a file goes up, and comes down as it was',
	'terminal; explorer': 'browser/vscode: log in, write a file, use the terminal, come back',
	'webview': 'browser/origins: from an origin of its own',
	'a wrong password': 'browser/vscode: a wrong password says so, and keeps the name',
	'below a prefix, behind a proxy': 'browser/base: from the login to a terminal, and to a port',
};

test('each line is a test that is there, or stands in ided(8)', () => {
	for (const [line, where] of Object.entries(lines)) {
		if (where.startsWith('#')) {
			assert.ok(items.includes(where.slice(1)), `${line}: ided(8) has no "${where.slice(1)}"`);
			continue;
		}
		const [, file, name] = where.match(/^([a-z/-]+): (.*)$/);
		const text = fs.readFileSync(`${top}/regress/${file}.test.mjs`, 'utf8').replaceAll("\\'", "'");
		assert.ok(text.includes(name), `${line}: ${file} has no test "${name}"`);
	}
	for (const item of items)
		assert.ok(Object.values(lines).includes(`#${item}`), `ided(8) has "${item}", and nothing of the list is that`);
});

// --- options ---

let dir;
before(() => {
	dir = fs.mkdtempSync(path.join(os.tmpdir(), 'ided-test-'));
	fs.chmodSync(dir, 0o711);
	fs.mkdirSync(`${dir}/data`, { mode: 0o711 });
	makeCertificate(dir, 'server');
});
after(() => fs.rmSync(dir, { recursive: true, force: true }));

function convert(yaml, env) {
	fs.writeFileSync(`${dir}/config.yaml`, yaml);
	const r = spawnSync(`${obj}/idectl`, ['import', 'code-server', ...(env ? ['-e'] : []), `${dir}/config.yaml`],
		{ encoding: 'utf8', env: { PATH: process.env.PATH, ...env } });
	return { status: r.status, out: r.stdout, err: r.stderr, lines: r.stdout.split('\n').map((l) => l.trim()) };
}
function check(conf) {
	fs.writeFileSync(`${dir}/ided.conf`, conf);
	const r = spawnSync(`${obj}/ided`, ['-n', '-f', `${dir}/ided.conf`], { encoding: 'utf8', env: { PATH: process.env.PATH,
		IDED_DATA: `${dir}/data`, IDED_RUNTIME: `${dir}/run`, IDED_LOG: 'to stderr', IDED_IDE_PATH: idePath,
		IDED_TLS_CERTIFICATE: `${dir}/server.crt`, IDED_TLS_KEY: `${dir}/server.key` } });
	assert.equal(r.status, 0, r.stderr + conf);
}
const hash = '$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY';

// Option: what it is set to, and the line that comes of it; null: a comment with the
// reason, which ided(8) has as well.
const options = {
	'auth': ['none', 'mode none'],
	'password': ['not-to-be-copied-anywhere', '# The password is not copied.  Set one with'],
	'hashed-password': [`'${hash}'`, `password-hash "${hash.replaceAll('$', '\\$')}"`],
	'cert': ['/a.crt\ncert-key: /a.key', 'certificate "/a.crt"'],
	'cert-key': ['/a.key\ncert: /a.crt', 'key "/a.key"'],
	'bind-addr': ['127.0.0.1:81', 'listen on 127.0.0.1 port 81'],
	'host': ['127.0.0.2', 'listen on 127.0.0.2 port 8080'],
	'port': ['81', 'listen on 127.0.0.1 port 81'],
	'socket': ['/run/code.sock', 'listen on unix "/run/code.sock"'],
	'app-name': ['Workshop', 'app-name "Workshop"'],
	'welcome-text': ['Hello', 'welcome "Hello"'],
	'proxy-domain': ['dev.example.com', 'domain "*.dev.example.com"'],
	'abs-proxy-base-path': ['/base', 'abs-base-path "/base"'],
	'disable-proxy': ['true', '# Ports of the sandbox are for its user alone; "proxy" in ided.conf(5) says which.'],
	'user-data-dir': ['/old', '#   tar -C /old -c User | idectl sandbox exec coder -- tar -C data/data -x'],
	'extensions-dir': ['/ext', '#   tar -C /ext -c . | idectl sandbox exec coder -- tar -C extensions -x'],
	'idle-timeout-seconds': ['3600', 'idle-exit 3600s'],
	'disable-telemetry': ['true', 'argument "--disable-telemetry"'],
	'disable-file-downloads': ['true', 'argument "--disable-file-downloads"'],
	'disable-file-uploads': ['true', 'argument "--disable-file-uploads"'],
	'disable-workspace-trust': ['true', 'argument "--disable-workspace-trust"'],
	'disable-getting-started-override': ['true', 'argument "--disable-getting-started-override"'],
	'enable-proposed-api': ['[a.b, c.d]', 'argument "--enable-proposed-api=c.d"'],
	'link-protection-trusted-domains': ['example.com', 'argument "--link-protection-trusted-domains=example.com"'],
	'locale': ['de', 'argument "--locale=de"'],
	'log': ['debug', 'argument "--log=debug"'],
	'reconnection-grace-time': ['600', 'argument "--reconnection-grace-time=600"'],
	...Object.fromEntries(['disable-update-check', 'github-auth', 'cert-host', 'cookie-suffix', 'session-socket', 'socket-mode', 'socket-fd',
		'trusted-origins', 'skip-auth-preflight', 'config', 'open', 'verbose', 'i18n', 'ignore-last-opened', 'builtin-extensions-dir', 'vscode-option',
		'new-window', 'reuse-window', 'install-extension', 'uninstall-extension', 'list-extensions', 'show-versions', 'locate-extension',
		'category', 'force', 'enable', 'help', 'version', 'json'].map((o) => [o, ['1', null]])),
};
// Variable: the option that it is the same as, or null.
const variables = {
	PASSWORD: 'password', HASHED_PASSWORD: 'hashed-password', GITHUB_TOKEN: 'github-auth', PORT: 'port', CODE_SERVER_HOST: 'host',
	CODE_SERVER_CONFIG: 'config', CODE_SERVER_COOKIE_SUFFIX: 'cookie-suffix', CODE_SERVER_APP_NAME: 'app-name',
	CODE_SERVER_IDLE_TIMEOUT_SECONDS: 'idle-timeout-seconds', CODE_SERVER_RECONNECTION_GRACE_TIME: 'reconnection-grace-time',
	CS_DISABLE_FILE_DOWNLOADS: 'disable-file-downloads', CS_DISABLE_GETTING_STARTED_OVERRIDE: 'disable-getting-started-override',
	CS_DISABLE_PROXY: 'disable-proxy', VSCODE_OPTIONS: 'vscode-option', LOG_LEVEL: 'log', VSCODE_PROXY_URI: null, EXTENSIONS_GALLERY: null, CS_TELEMETRY_URL: null,
};
const reason = (name) => (l) => l.startsWith(`# ${name}: `) && l.length > name.length + 12;

describe('options of config.yaml', () => {
	for (const [name, [value, line]] of Object.entries(options))
		test(name, () => {
			const r = convert(`${name}: ${value}\n`);
			assert.equal(r.status, 0, r.err);
			assert.ok(line === null ? r.lines.some(reason(name)) : r.lines.includes(line), `${line}\n--\n${r.out}`);
			assert.ok(!r.out.includes('not-to-be-copied'), r.out);
			// Off is as if it were not there.
			if (value === 'true') assert.equal(convert(`${name}: false\n`).out, convert('').out);
		});
	test('ided takes all of them', () => {
		const whole = Object.entries(options).filter(([name]) => !['auth', 'socket', 'cert', 'cert-key', 'password', 'bind-addr'].includes(name));
		const r = convert(whole.map(([name, [value]]) => `${name}: ${value}\n`).join(''));
		assert.equal(r.status, 0, r.err);
		check(r.out);
		for (const name of ['auth', 'socket', 'cert', 'bind-addr']) check(convert(`${name}: ${options[name][0]}\n`).out);
	});
	test('what code-server would refuse', () => {
		for (const yaml of ['idle-timeout-seconds: 60', 'idle-timeout-seconds: 1h', 'EXTENSIONS_GALLERY: x', 'nonsense: 1'])
			assert.equal(convert(`${yaml}\n`).status, 1, yaml);
	});
});

describe('variables', () => {
	for (const [name, same] of Object.entries(variables))
		test(name, () => {
			const value = same && options[same][0].replace(/^'|'$/g, '');
			const r = convert('', { [name]: value ?? 'x'.repeat(2000) });
			assert.equal(r.status, 0, r.err);
			const line = same ? options[same][1] : null;
			assert.ok(line === null ? r.lines.some(reason(same ?? name)) : r.lines.includes(line), `${line}\n--\n${r.out}`);
			assert.ok(!r.out.includes('not-to-be-copied'), r.out);
		});
});

test('no option is forgotten, here or there; those without an equal stand in ided(8)', () => {
	const table = fs.readFileSync(`${top}/bin/idectl/import.c`, 'utf8');
	const known = [...table.matchAll(/^\t\{ "([^"]+)",\s/gm)].map((m) => m[1]);
	const variable = [...table.matchAll(/^\t\{ "[^"]+",\s*IMPORT_\w+,\s*"([^"]+)"/gm)].map((m) => m[1]);
	const alone = Object.keys(variables).filter((v) => variables[v] === null);
	assert.deepEqual(known.sort(), [...Object.keys(options), ...alone].sort());
	assert.deepEqual(variable.sort(), Object.keys(variables).sort());
	const said = [...compatibility.matchAll(/^\.Cm ([a-z0-9-]+)(?: [,.])?$/gm)].map((m) => m[1]);
	for (const [name, [, line]] of Object.entries(options))
		if (line === null) assert.ok(said.includes(name), `ided(8), COMPATIBILITY: "${name}" is not named`);
});

// --- in single mode ---

describe('in single mode', () => {
	let d, cookie;
	before(async () => {
		d = await startDaemon({ auth: 'mode single\naccount "ann"', env: { IDED_ADMIN_PASSWORD: password },
			ide: 'gallery "https://extensions.example.com/all/"' });
		// As code-server's own form has it.
		const r = await d.post('/login', { password, base: '.', href: `${d.origin}/login` });
		assert.deepEqual([r.status, r.headers.location], [302, '/'], r.body);
		cookie = r.headers['set-cookie'][0].split(';')[0];
	}, { timeout: 60000 });
	after(() => d?.stop());
	const get = (url, headers = {}) => d.request('GET', url, { headers: { cookie, ...headers } });
	const mint = () => d.request('POST', '/mint-key', { headers: { cookie, origin: d.origin, 'content-length': 0 } });

	test('what the query opens, and what of it is remembered', { timeout: 90000 }, async () => {
		const payload = encodeURIComponent('[["gotoLineMode","true"],["openFile","vscode-remote://host/home/ann/a:10:5"]]');
		const page = await get(`/?folder=/home/ann&payload=${payload}`);
		assert.equal(page.status, 200);
		assert.equal((await get('/')).headers.location, '/?folder=/home/ann');
		assert.equal((await get('/?ew=true')).status, 200);
		assert.equal((await get('/?folder=/home/ann/b&workspace=/home/ann/c.code-workspace')).status, 200);
		assert.equal((await get('/')).headers.location, '/?workspace=/home/ann/c.code-workspace');
	});

	test('the key is 32 bytes, and stays', async () => {
		const first = await mint();
		assert.deepEqual([first.status, first.raw.length], [200, 32]);
		assert.deepEqual((await mint()).raw, first.raw);
		assert.equal((await d.request('POST', '/mint-key', { headers: { origin: d.origin, 'content-length': 0, accept: '*/*' } })).status, 401);
	});

	test("extensions come from the site's own gallery, in pages and in the sandbox", { timeout: 90000 }, async () => {
		const { body } = await get('/?folder=/home/ann');
		const config = workbenchConfig(body);
		const at = 'https://extensions.example.com/all/vscode';
		const want = { serviceUrl: `${at}/gallery`, itemUrl: `${at}/item`, extensionUrlTemplate: `${at}/gallery/{publisher}/{name}/latest`,
			resourceUrlTemplate: `${at}/asset/{publisher}/{name}/{version}/Microsoft.VisualStudio.Code.WebResources/{path}` };
		assert.deepEqual(config.productConfiguration.extensionsGallery, want);
		const said = () => JSON.parse(d.ok(['sandbox', 'exec', 'ann', '--', 'printenv', 'EXTENSIONS_GALLERY']));
		assert.deepEqual(said(), want);
		// Another layout, for sandboxes that are started from then on.
		fs.writeFileSync(d.conf, fs.readFileSync(d.conf, 'utf8').replace('gallery "https://extensions.example.com/all/"', 'gallery "https://market.example.com" as code-marketplace'));
		d.ok(['reload']);
		assert.deepEqual(said(), want);
		d.ok(['sandbox', 'stop', 'ann']);
		assert.deepEqual(said(), { serviceUrl: 'https://market.example.com/api', itemUrl: 'https://market.example.com/item',
			resourceUrlTemplate: 'https://market.example.com/files/{publisher}/{name}/{version}/{path}' });
	});

	test('logged out as the workbench does it', async () => {
		const r = await get(`/logout?base=.&href=${encodeURIComponent(`${d.origin}/`)}`, { 'sec-fetch-site': 'same-origin' });
		assert.equal(r.status, 302);
		assert.equal((await get('/api/me')).status, 401, 'for whoever has the cookie');
	});
});
