// Three calls of a CRM to scanbind, encrypted and dated: GetQrCode, GetBindInfo, Disconnect.

import static java.nio.charset.StandardCharsets.UTF_8;

import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.Base64;
import java.util.Map;
import javax.crypto.Cipher;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;

public class SealedCalls {
    private static final Map<String, String> SETTINGS = System.getenv();
    private static final String SCANBIND = SETTINGS.getOrDefault("CRM_SCANBIND", "http://127.0.0.1:8080");
    private static final String CLIENT = SETTINGS.getOrDefault("CRM_CLIENT", "crm");
    private static final SecretKeySpec KEY = new SecretKeySpec(decode(SETTINGS.get("CRM_SEALING_KEY")), "AES");
    private static final String HEADER =
            encode("{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"kid\":\"%s\"}".formatted(CLIENT).getBytes(UTF_8));

    private static String encode(byte[] raw) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(raw);
    }

    private static byte[] decode(String text) {
        return Base64.getUrlDecoder().decode(text);
    }

    private static byte[] random(int size) {
        byte[] made = new byte[size];
        new SecureRandom().nextBytes(made);
        return made;
    }

    private static Cipher cipher(int mode, byte[] nonce, String header) throws GeneralSecurityException {
        Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
        cipher.init(mode, KEY, new GCMParameterSpec(128, nonce));
        cipher.updateAAD(header.getBytes(UTF_8));
        return cipher;
    }

    private static String seal(String content) throws GeneralSecurityException {
        byte[] nonce = random(12); // a new one for each call
        byte[] sealed = cipher(Cipher.ENCRYPT_MODE, nonce, HEADER).doFinal(content.getBytes(UTF_8));
        byte[] ciphertext = Arrays.copyOf(sealed, sealed.length - 16);
        byte[] tag = Arrays.copyOfRange(sealed, sealed.length - 16, sealed.length);
        return String.join(".", HEADER, "", encode(nonce), encode(ciphertext), encode(tag));
    }

    /** Return the plaintext; throw if it was not sealed with the key. */
    private static String open(String text) throws GeneralSecurityException {
        String[] parts = text.split("\\.", -1);
        if (parts.length != 5 || !parts[1].isEmpty()) {
            throw new GeneralSecurityException("not a compact JWE");
        }
        Cipher cipher = cipher(Cipher.DECRYPT_MODE, decode(parts[2]), parts[0]);
        cipher.update(decode(parts[3]));
        return new String(cipher.doFinal(decode(parts[4])), UTF_8);
    }

    /** Return the body of the answer to the call jti; throw if the answer is another one. */
    private static String unseal(String text, String jti) throws GeneralSecurityException {
        String plaintext = open(text);
        String begin = "{\"jti\":\"%s\",\"body\":".formatted(jti); // scanbind writes the members like this
        if (!plaintext.startsWith(begin) || !plaintext.endsWith("}")) {
            throw new GeneralSecurityException("this is the answer to another call");
        }
        return plaintext.substring(begin.length(), plaintext.length() - 1);
    }

    /** Return the body of the answer, null if it has none; throw if the call is refused. */
    private static String call(String method, String path, String body) throws Exception {
        String jti = encode(random(16));
        String content = "{\"iat\":%d,\"jti\":\"%s\",\"method\":\"%s\",\"path\":\"%s\",\"query\":{},\"body\":%s}"
                .formatted(Instant.now().getEpochSecond(), jti, method, path, body);
        HttpRequest request = HttpRequest.newBuilder(URI.create(SCANBIND + "/v1/sealed"))
                .header("Content-Type", "application/jose")
                .timeout(Duration.ofSeconds(10))
                .POST(HttpRequest.BodyPublishers.ofString(seal(content)))
                .build();
        HttpResponse<String> answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
        if (method.equals("DELETE") && answer.statusCode() == 204) {
            return "null";
        }
        if (answer.statusCode() >= 300) { // not sealed: for people and logs, never to decide by
            throw new IllegalStateException(answer.body());
        }
        return unseal(answer.body(), jti);
    }

    /** Return a text as JSON. */
    private static String json(String text) {
        StringBuilder written = new StringBuilder("\"");
        for (char sign : text.toCharArray()) {
            written.append(sign < ' ' || sign == '"' || sign == '\\' ? "\\u%04x".formatted((int) sign) : sign);
        }
        return written.append('"').toString();
    }

    public static void main(String[] arguments) throws Exception {
        String user = arguments[1];
        String path = "/v1/bindings/" + URLEncoder.encode(user, UTF_8).replace("+", "%20");
        System.out.println(switch (arguments[0]) {
            case "GetQrCode" -> call(
                    "POST", "/v1/tickets", "{\"purpose\":\"bind\",\"user_id\":%s,\"refresh\":true}".formatted(json(user)));
            case "GetBindInfo" -> call("GET", path, "{}");
            case "Disconnect" -> call("DELETE", path, "{}");
            default -> throw new IllegalArgumentException(arguments[0]);
        });
    }
}
