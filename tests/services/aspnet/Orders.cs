using System;
using System.Collections.Concurrent;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using System.Xml.Linq;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

/// <summary>Orders in memory behind an API key, with the server of ASP.NET Core.</summary>
public static class Orders
{
    private static readonly ConcurrentDictionary<string, bool> Sessions = new ConcurrentDictionary<string, bool>();
    private static readonly ConcurrentDictionary<string, bool> Numbers = new ConcurrentDictionary<string, bool>();
    private static readonly ConcurrentDictionary<int, XElement> All = new ConcurrentDictionary<int, XElement>();
    private static int last;

    public static void Main(string[] arguments)
    {
        Host.CreateDefaultBuilder(arguments)
            .ConfigureLogging(logging => logging.SetMinimumLevel(LogLevel.Warning))
            .ConfigureWebHostDefaults(web => web.Configure(Configure))
            .Build()
            .Run();
    }

    private static void Configure(IApplicationBuilder app)
    {
        app.UseRouting();
        app.UseEndpoints(endpoints =>
        {
            endpoints.MapGet("/health", context => context.Response.WriteAsync("ok"));
            endpoints.MapPost("/login", Login);
            endpoints.MapPost("/orders", context => InSession(context, Create));
            endpoints.MapGet("/orders", context => InSession(context, Search));
            endpoints.MapGet("/orders/{id:int}", context => InSession(context, Read));
        });
    }

    private static Task Login(HttpContext context)
    {
        if (context.Request.Headers["X-Api-Key"] != Environment.GetEnvironmentVariable("ORDERS_KEY"))
        {
            return Refuse(context, 403);
        }
        var token = Guid.NewGuid().ToString("N");
        Sessions[token] = true;
        return Answer(context, 200, new XElement("Session", new XElement("Token", token)));
    }

    private static Task InSession(HttpContext context, Func<HttpContext, Task> answer)
    {
        var token = context.Request.Headers["Authorization"].ToString().Replace("Bearer ", "");
        return Sessions.ContainsKey(token) ? answer(context) : Refuse(context, 401);
    }

    private static async Task Create(HttpContext context)
    {
        var sent = await XElement.LoadAsync(context.Request.Body, LoadOptions.None, CancellationToken.None);
        if (!Numbers.TryAdd((string)sent.Attribute("number"), true))
        {
            await Refuse(context, 409);
            return;
        }
        var id = Interlocked.Increment(ref last);
        var order = new XElement(
            "Order",
            new XAttribute("id", id),
            new XAttribute("number", (string)sent.Attribute("number")),
            new XAttribute("state", "open"),
            new XElement("Item", (string)sent.Element("Item")));
        All[id] = order;
        context.Response.Headers["Location"] = "/orders/" + id;
        await Answer(context, 201, order);
    }

    private static Task Read(HttpContext context)
    {
        var id = int.Parse((string)context.Request.RouteValues["id"]);
        return All.TryGetValue(id, out var order) ? Answer(context, 200, order) : Refuse(context, 404);
    }

    /// <summary>Those of the last ten that are in this state.</summary>
    private static Task Search(HttpContext context)
    {
        var state = context.Request.Query["state"].ToString();
        var newest = Enumerable.Range(0, 10).Select(back => All.TryGetValue(last - back, out var order) ? order : null);
        var found = newest.Where(order => (string)order?.Attribute("state") == state);
        return Answer(context, 200, new XElement("Orders", new XAttribute("state", state), found));
    }

    private static Task Answer(HttpContext context, int status, XElement body)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/xml";
        return context.Response.WriteAsync(body.ToString(SaveOptions.DisableFormatting));
    }

    private static Task Refuse(HttpContext context, int status)
    {
        context.Response.StatusCode = status;
        return Task.CompletedTask;
    }
}
