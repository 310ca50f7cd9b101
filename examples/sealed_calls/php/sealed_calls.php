<?php

// Three calls of a CRM to scanbind, encrypted and dated: GetQrCode, GetBindInfo, Disconnect.

declare(strict_types=1);

function encode(string $raw): string
{
    return rtrim(strtr(base64_encode($raw), '+/', '-_'), '=');
}

function decode(string $text): string
{
    return (string) base64_decode(strtr($text, '-_', '+/'), true);
}

define('SCANBIND', getenv('CRM_SCANBIND') ?: 'http://127.0.0.1:8080');
define('CLIENT', getenv('CRM_CLIENT') ?: 'crm');
define('KEY', decode((string) getenv('CRM_SEALING_KEY')));
define('HEADER', encode(json_encode(['alg' => 'dir', 'enc' => 'A256GCM', 'kid' => CLIENT])));

function stop(string $message): never
{
    fwrite(STDERR, $message . "\n");
    exit(1);
}

function seal(array $content): string
{
    $nonce = random_bytes(12); // a new one for each call
    $plaintext = json_encode($content, JSON_THROW_ON_ERROR);
    $ciphertext = openssl_encrypt($plaintext, 'aes-256-gcm', KEY, OPENSSL_RAW_DATA, $nonce, $tag, HEADER);
    return implode('.', [HEADER, '', encode($nonce), encode($ciphertext), encode($tag)]);
}

// Return the body of the answer to the call $jti; stop if the answer is another one.
function unseal(string $text, string $jti): mixed
{
    $parts = explode('.', $text);
    if (count($parts) !== 5 || $parts[1] !== '') {
        stop('the answer cannot be opened');
    }
    [$nonce, $ciphertext, $tag] = array_map('decode', array_slice($parts, 2));
    // PHP accepts a tag of four bytes.
    $plaintext = strlen($tag) !== 16 ? false
        : openssl_decrypt($ciphertext, 'aes-256-gcm', KEY, OPENSSL_RAW_DATA, $nonce, $tag, $parts[0]);
    if ($plaintext === false) {
        stop('the answer cannot be opened');
    }
    $content = json_decode($plaintext, false, 512, JSON_THROW_ON_ERROR);
    $members = array_keys(get_object_vars($content));
    sort($members);
    if ($members !== ['body', 'jti'] || $content->jti !== $jti) {
        stop('this is the answer to another call');
    }
    return $content->body;
}

// Return the body of the answer; null if it has none. Stop if the call is refused.
function call(string $method, string $path, array $body = []): mixed
{
    $jti = encode(random_bytes(16));
    $content = ['iat' => time(), 'jti' => $jti, 'method' => $method, 'path' => $path];
    $content += ['query' => (object) [], 'body' => (object) $body];
    $context = stream_context_create(['http' => [
        'method' => 'POST',
        'header' => 'Content-Type: application/jose',
        'content' => seal($content),
        'ignore_errors' => true,
        'timeout' => 10,
    ]]);
    $answer = file_get_contents(SCANBIND . '/v1/sealed', false, $context);
    if ($answer === false) {
        stop('no answer');
    }
    $status = (int) explode(' ', $http_response_header[0])[1];
    if ($method === 'DELETE' && $status === 204) {
        return null;
    }
    if ($status >= 300) {
        stop($answer); // not sealed: for people and logs, never to decide by
    }
    return unseal($answer, $jti);
}

[, $name, $user] = $argv;
$path = '/v1/bindings/' . rawurlencode($user);
echo json_encode(match ($name) {
    'GetQrCode' => call('POST', '/v1/tickets', ['purpose' => 'bind', 'user_id' => $user, 'refresh' => true]),
    'GetBindInfo' => call('GET', $path),
    'Disconnect' => call('DELETE', $path),
}), "\n";
