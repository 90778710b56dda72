// In VS Code's place: writes down that it was started, and ends at once, as long as
// there is no file "mended" in the user's home.
const fs = require('node:fs');
const http = require('node:http');

const home = process.env.HOME;
fs.appendFileSync(`${home}/starts`, `${process.pid}\n`);
if (!fs.existsSync(`${home}/mended`)) process.exit(3);
const at = process.argv.indexOf('--socket-path');
http.createServer((req, res) => res.end('mended')).listen(process.argv[at + 1]);
