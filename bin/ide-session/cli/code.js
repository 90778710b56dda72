// VS Code's command line.  In a terminal of VS Code it speaks to that window; in
// any other shell of the session, to the window that the first file belongs to.
// What is about extensions needs no window.
'use strict';
const { spawn } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');
const { pipeline } = require('stream/promises');
const windows = require('./windows.js');

const ide = path.dirname(__dirname);
const server = path.join(ide, 'server', 'out');
const VSIX_MAX = 512 * 1024 * 1024;
const extensions = ['--install-extension', '--uninstall-extension', '--list-extensions', '--locate-extension',
	'--update-extensions'];
// Options that have an argument of their own, which is no file.
const valued = ['--category', '--locale', '--profile', '--add-mcp', '--install-extension', '--uninstall-extension',
	'--locate-extension', '--folder-uri', '--file-uri'];

function die(why) {
	process.stderr.write(`code: ${why}\n`);
	process.exit(1);
}

function run(program, args, env) {
	// As the server itself: see policy.js.
	const policy = process.env.IDED_EXTENSIONS && program === 'server-main.js' ? [path.join(__dirname, 'policy.js')] : [];
	const child = spawn(process.execPath, [...policy, path.join(server, program), ...args],
		{ stdio: 'inherit', env: { ...process.env, ...env } });
	for (const sig of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(sig, () => child.kill(sig));
	return new Promise((resolve) => {
		child.on('error', (e) => die(e.message));
		child.on('exit', (code, sig) => resolve(sig ? 128 + os.constants.signals[sig] : code));
	});
}

const has = (args, ...names) => args.some((a) => names.includes(a.split('=')[0]));

function files(args) {
	const found = [];
	for (let i = 0; i < args.length; i++) {
		if (args[i] === '--') return [...found, ...args.slice(i + 1)];
		if (!args[i].startsWith('-')) found.push(args[i]);
		else if (valued.includes(args[i])) i++;
	}
	return found;
}

// An extension's package from standard input, in a file of its own for as long as it takes.
async function spool(to) {
	let size = 0;
	await pipeline(process.stdin, async function* bounded(from) {
		for await (const b of from) {
			size += b.length;
			if (size > VSIX_MAX) throw new Error(`an extension has at most ${VSIX_MAX >> 20} MB`);
			yield b;
		}
	}, fs.createWriteStream(to, { flags: 'wx', mode: 0o600 }));
	if (size === 0) throw new Error('there is no extension on standard input');
}

async function manage(args) {
	let dir;
	const at = args.findIndex((a, i) => a === '-' && args[i - 1] === '--install-extension');
	try {
		if (at !== -1) {
			dir = fs.mkdtempSync(path.join(os.tmpdir(), 'code-'));
			args = args.with(at, path.join(dir, 'extension.vsix'));
			await spool(args[at]);
		}
		return await run('server-main.js', ['--server-data-dir', path.join(os.homedir(), 'data'),
			'--extensions-dir', path.join(os.homedir(), 'extensions'), '--accept-server-license-terms', ...args]);
	} finally {
		if (dir) fs.rmSync(dir, { recursive: true, force: true });
	}
}

function product() {
	const lines = fs.readFileSync(path.join(ide, 'product'), 'utf8').split('\n');
	return Object.fromEntries(lines.filter(Boolean).map((l) => l.split('=')));
}

async function main(args) {
	const p = product();
	if (has(args, ...extensions) && !process.env.VSCODE_IPC_HOOK_CLI) return manage(args);
	if (has(args, '-v', '--version')) {
		process.stdout.write(`${p.version}\n${p.commit}\n${process.arch}\n`);
		return 0;
	}
	if (has(args, '-h', '--help')) {
		process.env.VSCODE_IPC_HOOK_CLI ??= '/nonexistent';	// it is asked for, and not used
	} else if (!process.env.VSCODE_IPC_HOOK_CLI) {
		const [first] = files(args);
		const hook = await windows.find(first && path.resolve(first));
		if (hook === null) die('no window of VS Code is open in this session: open one in the browser first');
		process.env.VSCODE_IPC_HOOK_CLI = hook;
	}
	return run('server-cli.js', ['code', p.version, p.commit, 'code', ...args]);
}

main(process.argv.slice(2)).then((code) => { process.exitCode = code; }, (e) => die(e.message));
