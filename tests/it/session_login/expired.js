// An SSH server that takes any password and wants a new one in its place. It prints its port.
const { Server } = require('ssh2');
const hostKeys = [require('fs').readFileSync(process.argv[1])];
const server = new Server({ hostKeys }, (client) => {
  client.on('error', () => {}).on('authentication', (context) => {
    if (context.method !== 'password') return context.reject(['password']);
    context.requestChange('Your password has expired.', () => context.accept());
  });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
