import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.StringWriter;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.stream.XMLOutputFactory;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamWriter;
import org.w3c.dom.Document;

/** Orders in PostgreSQL behind a bearer token, with the server of the JDK. */
public final class Orders {
    private static final String URL = System.getenv("ORDERS_DB");
    private static final String COLUMNS = "select id, number, item, state from orders ";
    private static final String UNIQUE_VIOLATION = "23505";

    private final Set<String> tokens = ConcurrentHashMap.newKeySet();
    private final ThreadLocal<Connection> connections = ThreadLocal.withInitial(Orders::connect);

    private record Answer(int status, String contentType, String body, String location) {
        static Answer xml(int status, String body) {
            return new Answer(status, "application/xml", body, null);
        }

        static Answer refusal(int status) {
            return new Answer(status, "text/plain", "", null);
        }
    }

    private interface Content {
        void write(XMLStreamWriter writer) throws XMLStreamException, SQLException;
    }

    public static void main(String[] arguments) throws Exception {
        try (var connection = connect(); var statement = connection.createStatement()) {
            statement.execute("create table if not exists orders (id bigserial primary key,"
                + " number text unique, item text, state text)");
            statement.execute("create index if not exists by_state on orders (state, id)");
        }
        var orders = new Orders();
        var address = new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0]));
        var server = HttpServer.create(address, 64);
        server.setExecutor(Executors.newFixedThreadPool(2));
        server.createContext("/", orders::exchange);
        server.start();
    }

    private static Connection connect() {
        try {
            return DriverManager.getConnection(URL);
        } catch (SQLException error) {
            throw new IllegalStateException(error);
        }
    }

    private void exchange(HttpExchange exchange) throws IOException {
        Answer answer;
        try {
            answer = answer(exchange);
        } catch (Exception error) {
            error.printStackTrace();
            answer = Answer.refusal(500);
        }
        var bytes = answer.body().getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", answer.contentType());
        if (answer.location() != null) {
            exchange.getResponseHeaders().set("Location", answer.location());
        }
        exchange.sendResponseHeaders(answer.status(), bytes.length == 0 ? -1 : bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.close();
    }

    private Answer answer(HttpExchange exchange) throws Exception {
        var route = exchange.getRequestMethod() + " " + exchange.getRequestURI().getPath();
        if (route.equals("GET /health")) {
            return new Answer(200, "text/plain", "ok", null);
        }
        if (route.equals("POST /login")) {
            var token = UUID.randomUUID().toString();
            tokens.add(token);
            return new Answer(200, "application/json", "{\"access_token\": \"" + token + "\"}", null);
        }
        var authorization = exchange.getRequestHeaders().getFirst("Authorization");
        if (authorization == null || !tokens.contains(authorization.replace("Bearer ", ""))) {
            return Answer.refusal(401);
        }
        if (route.equals("POST /orders")) {
            return create(read(exchange));
        }
        if (route.equals("GET /orders")) {
            return search(exchange.getRequestURI().getQuery().replace("state=", ""));
        }
        return route.startsWith("GET /orders/") ? read(route.substring(12)) : Answer.refusal(404);
    }

    private static Document read(HttpExchange exchange) throws Exception {
        return DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(exchange.getRequestBody());
    }

    private PreparedStatement prepare(String query) throws SQLException {
        return connections.get().prepareStatement(query);
    }

    private Answer create(Document order) throws SQLException, XMLStreamException {
        var number = order.getDocumentElement().getAttribute("number");
        var insert = "insert into orders (number, item, state) values (?, ?, 'open') returning id, number, item, state";
        try (var statement = prepare(insert)) {
            statement.setString(1, number);
            statement.setString(2, order.getDocumentElement().getTextContent());
            var row = statement.executeQuery();
            row.next();
            var id = row.getLong(1);
            return new Answer(201, "application/xml", xml(writer -> write(writer, row)), "/orders/" + id);
        } catch (SQLException error) {
            if (UNIQUE_VIOLATION.equals(error.getSQLState())) {
                return Answer.refusal(409);
            }
            throw error;
        }
    }

    private Answer read(String id) throws SQLException, XMLStreamException {
        try (var statement = prepare(COLUMNS + "where id = ?")) {
            statement.setLong(1, Long.parseLong(id));
            var row = statement.executeQuery();
            return row.next() ? Answer.xml(200, xml(writer -> write(writer, row))) : Answer.refusal(404);
        }
    }

    private Answer search(String state) throws SQLException, XMLStreamException {
        try (var statement = prepare(COLUMNS + "where state = ? order by id desc limit 10")) {
            statement.setString(1, state);
            var rows = statement.executeQuery();
            return Answer.xml(200, xml(writer -> {
                writer.writeStartElement("Orders");
                writer.writeAttribute("state", state);
                while (rows.next()) {
                    write(writer, rows);
                }
                writer.writeEndElement();
            }));
        }
    }

    private static void write(XMLStreamWriter writer, ResultSet row) throws XMLStreamException, SQLException {
        writer.writeStartElement("Order");
        writer.writeAttribute("id", row.getString("id"));
        writer.writeAttribute("number", row.getString("number"));
        writer.writeStartElement("Item");
        writer.writeCharacters(row.getString("item"));
        writer.writeEndElement();
        writer.writeEndElement();
    }

    private static String xml(Content content) throws XMLStreamException, SQLException {
        var text = new StringWriter();
        var writer = XMLOutputFactory.newInstance().createXMLStreamWriter(text);
        content.write(writer);
        writer.close();
        return text.toString();
    }
}
